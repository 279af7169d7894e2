"""What people install: the same bytes from the same sources, with every file of the package in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support import ROOT

PACKAGE = "jupytercloud_hub"
NOT_SHIPPED = ("__pycache__", ".*", "node_modules", "*.pyc")


def built(source: Path, moment: int) -> Path:
    """Build a wheel of a copy whose files all have this time of change."""
    shutil.copytree(ROOT / PACKAGE, source / PACKAGE, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    shutil.copytree(ROOT / "config", source / "config")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for path in source.rglob("*"):
        os.utime(path, (moment, moment))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"], cwd=source, check=True, capture_output=True
    )
    return next((source / "dist").glob("*.whl"))


def test_the_wheel_is_the_same_wherever_and_whenever_it_is_built_and_nothing_is_missing(tmp_path: Path) -> None:
    one, other = built(tmp_path / "one", 1_700_000_000), built(tmp_path / "other/folder", 1_800_000_000)
    assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()
    with zipfile.ZipFile(one) as wheel:
        inside = set(wheel.namelist())
    copied = tmp_path / "one"
    wanted = {str(path.relative_to(copied)) for path in (copied / PACKAGE).rglob("*") if path.is_file()}
    assert wanted <= inside, sorted(wanted - inside)
    assert any(name.endswith("jupyter_server_config.d/jupytercloud_remotes.json") for name in inside)

"""Rooms import downwards only: what `lint-imports` says of the package, and of a copy with a forbidden import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

LINT = str(Path(sys.executable).parent / "lint-imports")

FORBIDDEN = [
    # room, what is added to it
    ("culling/rules.py", "import sqlalchemy  # noqa", "sqlalchemy"),
    ("contracts/links.py", "import tornado.web  # noqa", "tornado"),
    ("profiles/access.py", "from ..settings import load  # noqa", "settings"),
    ("identity/claims.py", "import jupyterhub.user  # noqa", "jupyterhub"),
    ("culling/rules.py", "from ..quotas import pricing  # noqa", "quotas"),
    ("web/errors.py", "from ..federation import model  # noqa", "federation"),
    ("storage/base.py", "from ..cli import common  # noqa", "cli"),
    ("federation/rules.py", "from ..demo import people  # noqa", "demo"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [LINT, "--config", "pyproject.toml", "--no-cache"]
    environ = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "node_modules", "*.html", "*.css", "*.po")
    shutil.copytree(ROOT / "jupytercloud_hub", tmp_path / "jupytercloud_hub", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_to_its_rooms(copy):
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("module", "line", "shown"), FORBIDDEN)
def test_a_forbidden_import_is_found(copy, module, line, shown):
    path = copy / "jupytercloud_hub" / module
    head, sep, rest = path.read_text().partition("from __future__ import annotations\n")
    path.write_text(f"{head}{sep}{line}\n{rest}" if sep else f"{head}\n{line}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout
    assert shown in done.stdout

"""The images' recipes: clean for hadolint, frozen with hashes, labelled, with one source of each notebook."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import ROOT

IMAGES = ROOT / "images"
DOCKERFILES = sorted(IMAGES.glob("*/Dockerfile"))
LABELS = ("title", "description", "version", "revision")


def names(text: str) -> set[str]:
    """Normalized names of a list of requirements."""
    found = (line.partition("#")[0].strip() for line in text.splitlines())
    return {Requirement(line).name.lower().replace("_", "-") for line in found if line}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or "hadolint"
    said = subprocess.run([hadolint, "--no-color", str(dockerfile)], capture_output=True, text=True, check=False)
    assert said.stdout + said.stderr == ""


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_old_builders_and_mirrors_will_do_and_nobody_is_root(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert not re.search(r"^# syntax=|<<|--chmod|--mount", text, re.MULTILINE), "the classic builder must do"
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert base.startswith("${BASE") or f"AS {base}" in text, f"{base} is no build argument"
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "1000"
    for label in LABELS:
        assert f"org.opencontainers.image.{label}=" in text
    for install in re.findall(r"pip install[^&]*", text):
        assert "--require-hashes" in install or "--no-index" in install or "PYCOA_LINE" in install, install


@pytest.mark.parametrize("image", ["hub", "notebook-base", "pycoa"])
def test_short_list_is_frozen_with_hashes(image: str) -> None:
    frozen = (IMAGES / image / "requirements.txt").read_text()
    pinned = [line for line in frozen.splitlines() if line and line[0] not in " #-"]
    assert all(re.match(r"[a-z0-9.-]+(\[[a-z,-]+\])?==", line) for line in pinned)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", frozen)) >= len(pinned)
    assert "http" not in re.sub(r"^[a-z0-9.-]+==.*$", "", frozen, flags=re.MULTILINE), "no address of a registry"
    there = {re.split(r"[\[=]", line)[0] for line in pinned}
    assert names((IMAGES / image / "requirements.in").read_text()) <= there


def test_hub_image_has_what_the_package_asks_for() -> None:
    import tomllib

    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    frozen = (IMAGES / "hub" / "requirements.txt").read_text()
    versions = dict(re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", frozen, re.MULTILINE))
    for one in map(Requirement, asked):
        assert one.specifier.contains(versions[re.sub(r"[-_.]+", "-", one.name).lower()]), f"images/lock.sh hub: {one}"


def test_pycoa_is_the_one_that_works_and_nobody_elses() -> None:
    frozen = (IMAGES / "pycoa" / "requirements.txt").read_text()
    assert "pyvoa==0.4.2" in frozen
    assert not re.search(r"^(pycoa|coa)==", frozen, re.MULTILINE)


def test_notebooks_have_one_source() -> None:
    assert not list(IMAGES.rglob("*.ipynb"))
    for carnet in re.findall(r"jupytercloud_hub/\S+\.ipynb", (IMAGES / "pycoa" / "Dockerfile").read_text()):
        assert (ROOT / carnet).is_file()


def test_inventory_names_each_package_and_its_licence(tmp_path: Path) -> None:
    runpy.run_path(str(IMAGES / "inventory.py"))["main"](tmp_path)
    sbom = json.loads((tmp_path / "sbom.cdx.json").read_text())
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    found = {one["name"]: one for one in sbom["components"]}
    assert found["tornado"]["purl"].startswith("pkg:pypi/tornado@")
    assert found["tornado"]["licenses"][0]["license"]["name"].startswith("Apache")
    assert "jupyterhub " in (tmp_path / "licences.txt").read_text()

"""What the package stands on is frozen with hashes, and the public workflows run nothing that is not pinned."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = {
    "run.txt": [*PROJECT["dependencies"], *EXTRAS["swarm"], *EXTRAS["kubernetes"], *EXTRAS["postgresql"]],
    "all.txt": [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)],
    "build.txt": ["hatchling>=1.27"],
}
PYTHONS = ("3.11", "3.12", "3.13")


def locked(name: str) -> list[tuple[Requirement, int]]:
    """Return the requirements of a lock file, each with how many hashes it has."""
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [(Requirement(line.split(" --hash")[0].strip()), line.count("--hash=sha256:")) for line in lines]


@pytest.mark.parametrize("name", WANTED)
def test_each_dependency_is_frozen_at_a_version_that_its_bounds_allow_with_hashes(name: str) -> None:
    rows = locked(name)
    assert all(hashes for _, hashes in rows)
    for python in PYTHONS:
        there = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
        chosen = {canonicalize_name(r.name): r for r, _ in rows if r.marker is None or r.marker.evaluate(there)}
        for line in WANTED[name]:
            wanted = Requirement(line)
            frozen = chosen[canonicalize_name(wanted.name)]
            (pin,) = frozen.specifier
            assert pin.operator == "=="
            assert wanted.specifier.contains(pin.version, prereleases=True), f"{line}: {frozen}; run make lock"


def test_no_lock_file_names_where_its_packages_came_from() -> None:
    for name in WANTED:
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / "requirements" / name).read_text())


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.name)
def test_the_workflows_run_pinned_actions_and_frozen_packages_only(path) -> None:
    text = path.read_text()
    used = re.findall(r"uses: *([^\s,}]+)", text)
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used), used
    for line in re.findall(r"pip install .*", text):
        assert "--require-hashes" in line or "--no-deps" in line, line


WORKFLOWS = "\n".join(path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml")))
MAKEFILE = (ROOT / "Makefile").read_text()


def test_what_the_workflows_make_are_targets_of_the_makefile() -> None:
    asked = {name for line in re.findall(r"\bmake ((?:[a-z-]+ ?)+)$", WORKFLOWS, re.MULTILINE) for name in line.split()}
    assert {"lint", "docs", "test", "test-engines"} <= asked
    assert asked <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("tool", ["pip-audit", "cyclonedx-py"])
def test_audit_and_sbom_are_the_same_by_hand_and_in_public(tool: str) -> None:
    (by_hand,) = re.findall(rf"\$\(BIN\)/({tool} .*?)(?: -o .*)?$", MAKEFILE, re.MULTILINE)
    assert set(re.findall(rf"bin/({tool} .*?)(?: -o .*)?$", WORKFLOWS, re.MULTILINE)) == {by_hand}


def test_an_audit_that_could_ask_nobody_does_not_pass() -> None:
    assert "pip-audit --strict" in MAKEFILE

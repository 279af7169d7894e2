"""What homes take: measured as du does, and read from reports."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.quotas.homes import HomeSize, ReportError, measure, read


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    folder = tmp_path / "homes"
    (folder / "anna" / "deep" / "er").mkdir(parents=True)
    (folder / "anna" / "big.bin").write_bytes(os.urandom(300_000))
    (folder / "anna" / "deep" / "same.bin").hardlink_to(folder / "anna" / "big.bin")
    (folder / "anna" / "deep" / "er" / "small").write_text("x")
    (folder / "anna" / "elsewhere").symlink_to("/usr")
    (folder / "bea").mkdir()
    (folder / "not-a-home").write_text("x")
    return folder


def test_a_home_takes_what_du_says(homes: Path):
    printed = subprocess.run(["du", "-sk", "anna", "bea"], cwd=homes, capture_output=True, text=True, check=True).stdout
    assert list(measure(homes)) == read("du", printed.splitlines())
    assert [home.name for home in measure(homes)] == ["anna", "bea"]


def test_nothing_is_changed_by_measuring(homes: Path):
    before = sorted((path, path.lstat().st_mtime_ns) for path in homes.rglob("*"))
    list(measure(homes))
    assert sorted((path, path.lstat().st_mtime_ns) for path in homes.rglob("*")) == before


@pytest.mark.parametrize(
    ("form", "lines", "found"),
    [
        ("du", ["12\t/srv/homes/anna", "", "0\tbea"], [HomeSize("anna", 12288), HomeSize("bea", 0)]),
        ("xfs", ["anna   2048  0  4096  00 [--------]"], [HomeSize("anna", 2**21, 2**22)]),
        ("xfs", ["#1001 1 0 0 00 [------]"], [HomeSize("1001", 1024)]),
        ("csv", ["name,bytes,x", "anna,5,", '"b,c",7,'], [HomeSize("anna", 5), HomeSize("b,c", 7)]),
    ],
)
def test_a_report_is_read(form, lines, found):
    assert read(form, lines) == found


@pytest.mark.parametrize(
    ("form", "lines", "line"),
    [
        ("du", ["12\tanna", "12K\tbea"], 2),
        ("xfs", ["User ID      Used   Soft   Hard"], 1),
        ("csv", ["user,bytes"], 1),
        ("csv", ["name,bytes", "a,1", "b,-"], 3),
    ],
)
def test_a_line_that_is_something_else_is_named(form, lines, line):
    with pytest.raises(ReportError) as error:
        read(form, lines)
    assert error.value.line == line


def test_the_command_shows_the_largest_first(homes: Path, tmp_path: Path):
    config = tmp_path / "jupytercloud.yaml"
    config.write_text('site: {name: x, url: "http://127.0.0.1/", state: .}\n')
    found = CliRunner().invoke(main, ["quotas", "storage", "--config", str(config), "--json"])
    assert [home["name"] for home in json.loads(found.output)] == ["anna", "bea"]
    command = ["quotas", "storage", "--config", str(config), "--import", "-", "--format", "csv"]
    wrong = CliRunner().invoke(main, command, input="name,size\n", env={"LC_ALL": "en_US.UTF-8"})
    assert wrong.exit_code == 1
    assert "Line 1 of the report" in wrong.output

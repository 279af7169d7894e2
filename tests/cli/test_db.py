"""``jupytercloud db``: the version of each part's tables, and bringing them to the newest."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main

BASE = 'site: {name: labo, url: "http://127.0.0.1:1/labo/"}\nquotas: {}\nculling: {rules: []}\n'


@pytest.fixture
def db(tmp_path):
    (tmp_path / "a.yaml").write_text(BASE)

    def run(verb: str, *args: str):
        return CliRunner().invoke(main, ["db", verb, "--config", str(tmp_path / "a.yaml"), *args], env={"LANG": "en"})

    return run


def test_tables_that_are_not_there_are_wrong_until_they_are_made_and_may_be_made_twice(db):
    states = {row["state"] for row in json.loads(db("current", "--json").stdout)}
    assert states == {"to be made: jupytercloud db upgrade"}
    assert db("current").exit_code == 0
    assert db("check").exit_code == 1
    assert db("upgrade").exit_code == 0
    assert db("upgrade").exit_code == 0
    assert db("check").exit_code == 0
    assert {row["state"] for row in json.loads(db("check", "--json").stdout)} == {"current"}


def test_a_database_that_is_away_ends_with_one_line_and_no_password(tmp_path):
    (tmp_path / "password").write_text("hunter2")
    words = BASE + "database: {url: postgresql://me@127.0.0.1:1/none, password: password}\n"
    (tmp_path / "a.yaml").write_text(words)
    for verb in ("upgrade", "check"):
        done = CliRunner().invoke(main, ["db", verb, "--config", str(tmp_path / "a.yaml")], env={"LANG": "en"})
        assert done.exit_code == 1
        assert "hunter2" not in done.output
        assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("sections", "parts"),
    [
        ("quotas: {}\n", ["quotas"]),
        ("culling: {rules: []}\n", ["culling"]),
        ("", []),
    ],
)
def test_tables_that_this_hub_does_not_use_are_not_missed(tmp_path, sections, parts):
    (tmp_path / "a.yaml").write_text('site: {name: labo, url: "http://127.0.0.1:1/labo/"}\n' + sections)

    def run(verb: str):
        return CliRunner().invoke(main, ["db", verb, "--json", "--config", str(tmp_path / "a.yaml")])

    assert [row["part"] for row in json.loads(run("current").stdout)] == parts
    assert run("check").exit_code == (1 if parts else 0)


def test_people_read_it_in_their_language(db, tmp_path):
    words = ["db", "current", "--config", str(tmp_path / "a.yaml")]
    assert "à créer" in CliRunner().invoke(main, words, env={"LC_ALL": "fr_FR.UTF-8"}).stdout

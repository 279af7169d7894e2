"""``jupytercloud db``: the version of each part's tables, and bringing them to the newest."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main

BASE = 'site: {name: labo, url: "http://127.0.0.1:1/labo/"}\n'


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

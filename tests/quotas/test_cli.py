"""The commands on a ledger of their own, as an administrator types them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.quotas.service import open_ledger
from jupytercloud_hub.quotas.tables import ByDay
from jupytercloud_hub.settings import load
from jupytercloud_hub.storage import Database

from .test_rebuild_and_privacy import ran

SETTINGS = """
site: {name: grenoble, url: "http://127.0.0.1:8000/", state: state}
quotas: {tariff: [{cpu: 1, memory: 0}]}
privacy: {smallest_group: 2}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "jupytercloud.yaml"
    path.write_text(SETTINGS)

    async def fill() -> None:
        settings = load(path)
        database = Database(settings.database_url("quotas"), "quotas")
        await database.upgrade()
        ledger, _ = open_ledger(settings, database)
        begin = datetime(2026, 11, 3, 9, tzinfo=UTC)
        for name, hours in (("anna", 3), ("bea", 5)):
            await ran(ledger, Person(username=name, groups=("m2",)), begin, timedelta(hours=hours))
        await database.close()

    asyncio.run(fill())
    return path


def run(config: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["quotas", *arguments, "--config", str(config)], env={"LC_ALL": "en_US.UTF-8"})
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


NOVEMBER = ("--from", "2026-11-01", "--to", "2026-11-30")


def test_report_shows_the_dearest_first(config: Path):
    rows = json.loads(run(config, "report", "--json", *NOVEMBER))
    assert [(row["person"], row["units"], row["starts"]) for row in rows] == [("bea", 10, 1), ("anna", 6, 1)]
    assert "bea" in run(config, "report", *NOVEMBER)
    [profile] = json.loads(run(config, "report", "--by", "profile", "--json", *NOVEMBER))
    assert (profile["profile"], profile["units"]) == ("lab", 16)
    assert json.loads(run(config, "report", "--json", "--from", "2026-10-01", "--to", "2026-10-31")) == []


def test_export_is_pseudonymised_and_keeps_the_sums(config: Path):
    rows = list(csv.DictReader(io.StringIO(run(config, "export", *NOVEMBER))))
    assert [(row["account"], row["name"], row["people"], row["units"]) for row in rows] == [
        ("group", "m2", "2", "16.0"),
        ("hub", "grenoble", "2", "16.0"),
    ]
    people = json.loads(run(config, "export", "--by", "person", "--format", "json", *NOVEMBER))
    assert sorted(row["units"] for row in people) == [6, 10]
    assert not {"anna", "bea"} & {row["name"] for row in people}
    assert json.loads(run(config, "export", "--format", "json", "--from", "2026-01-01", "--to", "2026-01-31")) == []


def test_grants_are_given_listed_and_withdrawn(config: Path):
    given = ["grant", "person", "anna", "--units", "50", "--until", "2099-12-31", "--reason", "fin de thèse", "--json"]
    [grant] = json.loads(run(config, *given))
    assert (grant["amount"], grant["measure"], grant["state"], grant["ends"]) == (
        50,
        "units",
        "counts",
        "2099-12-31T23:00:00Z",
    )
    assert "fin de thèse" in run(config, "grant", "--list")
    [withdrawn] = json.loads(run(config, "grant", "--withdraw", str(grant["id"]), "--json"))
    assert withdrawn["state"] == "over"
    run(config, "grant", "--withdraw", "99", code=1)
    for wrong in (
        ["grant", "person", "anna", "--units", "50", "--reason", "x"],
        ["grant", "person", "anna", "--units", "1", "--cpu-hours", "1", "--until", "2099-01-01", "--reason", "x"],
        ["grant", "person", "anna", "--units", "-1", "--until", "2099-01-01", "--reason", "x"],
        ["grant", "person", "anna", "--units", "1", "--until", "soon", "--reason", "x"],
        ["report", "--from", "2026-12-01", "--to", "2026-11-01"],
    ):
        run(config, *wrong, code=2)


def test_rebuild_checks_mends_and_then_agrees(config: Path):
    assert "agree" in run(config, "rebuild", "--check")

    async def spoil() -> None:
        database = Database(load(config).database_url("quotas"), "quotas")
        async with database.session() as session:
            await session.execute(update(ByDay).where(ByDay.name == "anna").values(seconds=1))
        await database.close()

    asyncio.run(spoil())
    [difference] = json.loads(run(config, "rebuild", "--check", "--json", code=1))
    assert (difference["sum"], difference["kept"], difference["true"]) == ("seconds", 1, 3 * 3600)
    run(config, "rebuild")
    run(config, "rebuild", "--check")

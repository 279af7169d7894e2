"""Planted faults, one by one: each is found and named, and once its mend was followed everything is well again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.contracts.finding import Finding
from jupytercloud_hub.storage import database as databases
from tests.support.fake_provider import FakeProvider, weak_key

from .planted import HUB, PORTAL, Surroundings

TABLE = databases.VERSION_TABLE
Mend = Callable[[Finding], Any]
Plant = Callable[[Surroundings], Mend]
KNOWN = {("spawner", "warning")}
"""Servers of the local backend are held to no limits: true of every hub on it."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at the newest version, made once."""
    path = tmp_path_factory.mktemp("tables") / "jupytercloud.sqlite"
    for part in ("auth", "quotas", "culling"):
        databases.upgrade(f"sqlite:///{path}", part)
    return path


@pytest.fixture
def around(tmp_path: Path, tables: Path) -> Iterator[Surroundings]:
    idp = FakeProvider()
    made = Surroundings(tmp_path, idp, tables)
    yield made
    made.agent_ends()
    idp.end()


def wrong(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.status != "ok" and (one.area, one.status) not in KNOWN]


def answer(address: str, status: int, body: Any) -> Plant:
    """Something answers otherwise; whoever follows the mend makes it answer as before."""

    def plant(around: Surroundings) -> Mend:
        before = around.answers[address]
        around.answers[address] = (status, body)
        return lambda _: around.answers.update({address: before})

    return plant


def attribute(of: Callable[[Surroundings], Any], name: str, value: Any) -> Plant:
    def plant(around: Surroundings) -> Mend:
        before = getattr(of(around), name)
        setattr(of(around), name, value)
        return lambda _: setattr(of(around), name, before)

    return plant


def section(name: str, **changed: Any) -> Plant:
    def plant(around: Surroundings) -> Mend:
        before = around.sections.setdefault(name, {})
        around.sections[name] = {**before, **changed}
        return lambda _: around.sections.update({name: before})

    return plant


def profile(**changed: Any) -> Plant:
    def plant(around: Surroundings) -> Mend:
        around.sections["profiles"].append({"name": "more", "title": "More", **changed})
        return lambda _: around.sections["profiles"].pop()  # "take the profile out"

    return plant


def no_profiles(around: Surroundings) -> Mend:
    before, around.sections["profiles"] = around.sections["profiles"], []
    return lambda _: around.sections.update(profiles=before)


def state(**changed: Any) -> Plant:
    def plant(around: Surroundings) -> Mend:
        before = dict(around.state)
        around.state.update(changed)
        return lambda _: around.state.update(before)

    return plant


def secret(content: str | None, mode: int = 0o600) -> Plant:
    """ "Write the secret into that file", or the command that is given."""

    def plant(around: Surroundings) -> Mend:
        if content is None:
            around.secret.unlink()
        else:
            around.secret.write_text(content)
            around.secret.chmod(mode)

        def mend(found: Finding) -> None:
            if str(found.mend).startswith("chmod"):
                subprocess.run(str(found.mend), shell=True, check=True)
            else:
                around.secret.write_text("s3cret")
                around.secret.chmod(0o600)

        return mend

    return plant


def command(found: Finding) -> None:
    """Follow a mend that is a command of ours, word by word."""
    done = CliRunner().invoke(main, str(found.mend).removeprefix("jupytercloud ").split())
    assert done.exit_code == 0, done.output


def no_tables(around: Surroundings) -> Mend:
    for path in around.database.parent.glob("jupytercloud.sqlite*"):
        path.unlink()
    return command


def newer_tables(around: Surroundings) -> Mend:
    connection = sqlite3.connect(around.database)
    with connection:
        before = connection.execute(f"SELECT version_num FROM {TABLE}").fetchall()
        connection.execute(f"UPDATE {TABLE} SET version_num = 'quotas_9999' WHERE version_num LIKE 'quotas%'")
    connection.close()

    def mend(_: Finding) -> None:  # the version of this software that knows these tables: told by what it knows
        again = sqlite3.connect(around.database)
        with again:
            again.execute(f"DELETE FROM {TABLE}")
            again.executemany(f"INSERT INTO {TABLE} VALUES (?)", before)
        again.close()

    return mend


def locked(around: Surroundings) -> Mend:
    connection = sqlite3.connect(around.database, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    return lambda _: connection.close()


def agent_away(around: Surroundings) -> Mend:
    around.agent_ends()
    return lambda _: around.agent_runs()


def no_key(around: Surroundings) -> Mend:
    around.key.unlink()
    from jupytercloud_hub.federation import signing

    return lambda _: signing.kept_key(around.key)  # what "start the hub once" does


def full_disk(around: Surroundings) -> Mend:
    real = os.statvfs
    room = SimpleNamespace(f_bavail=100, f_frsize=4096, f_blocks=10**8, f_favail=10**6, f_files=10**6)
    os.statvfs = lambda _: room
    return lambda _: setattr(os, "statvfs", real)


AWAY = httpx.ConnectError("All connection attempts failed")
NO_NAME = httpx.ConnectError("[Errno -2] Name or service not known")
QUOTAS = f"{HUB}services/quotas/"
STATUS = f"{PORTAL}services/federation/api/v1/status"
KEYS = f"{PORTAL}services/federation/api/v1/sites/labo/keys"
OLD = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

PLANTED: dict[str, tuple[Plant, str, str]] = {
    "the secret's file is missing": (secret(None), "settings", "can't be read"),
    "the secret's file is empty": (secret(" \n"), "settings", "is empty"),
    "everybody reads the secret": (secret("s3cret", 0o644), "settings", "every account of this machine reads"),
    "the provider is another issuer": (attribute(lambda a: a.idp, "told", "https://other.fr"), "provider", "other.fr"),
    "the provider's clock is ahead": (attribute(lambda a: a.idp, "ahead", timedelta(hours=1)), "provider", "s apart"),
    "the provider's keys are weak": (attribute(lambda a: a.idp, "keys", [weak_key()]), "provider", "auth.algorithms"),
    "the provider has no keys": (attribute(lambda a: a.idp, "keys", []), "provider", "key"),
    "the provider answers something else": (attribute(lambda a: a.idp, "body", b"<p>"), "provider", "no discovery"),
    "there are no tables": (no_tables, "database", "there are no tables"),
    "a newer version has upgraded the tables": (newer_tables, "database", "a newer version"),
    "somebody holds the database": (locked, "database", "locked"),
    "the database is away": (section("database", url="postgresql://me@127.0.0.1:1/n"), "database", "reached"),
    "the disk is full": (full_disk, "disk", "free"),
    "the hub is away": (answer(f"{HUB}hub/api/", 0, AWAY), "hub", "nothing listens"),
    "the hub's name is unknown": (answer(f"{HUB}hub/api/", 0, NO_NAME), "hub", "not known to the DNS"),
    "the hub is dead behind its proxy": (answer(f"{HUB}hub/api/", 503, b"no"), "hub", "the hub behind it does not"),
    "something else is at the address": (attribute(lambda a: a, "version", ""), "hub", "no JupyterHub"),
    "the hub is old": (attribute(lambda a: a, "version", "6.1.0"), "hub", "JupyterHub 6.1.0"),
    "the proxy lost a route": (answer(f"{HUB}hub/api/proxy", 200, {"/labo/": {}}), "proxy", "no route to: "),
    "the proxy is away": (answer(f"{HUB}hub/api/proxy", 500, {}), "proxy", "status 500"),
    "the token may not ask": (answer(f"{HUB}hub/api/proxy", 403, {}), "proxy", "status 403"),
    "nobody has a token": (attribute(lambda a: a, "token", ""), "proxy", "not looked at"),
    "a service is dead": (answer(f"{QUOTAS}health", 503, b"no"), "services", "quotas does not run"),
    "a service is not well": (
        answer(f"{QUOTAS}health", 503, {"status": "bad", "database": "away"}),
        "services",
        "database: away",
    ),
    "a service lacks scopes": (
        answer(f"{QUOTAS}api/v1/scopes", 200, {"missing": ["read:users"], "beyond": []}),
        "services",
        "lacks scopes",
    ),
    "a service holds too many": (
        answer(f"{QUOTAS}api/v1/scopes", 200, {"missing": [], "beyond": ["admin:users"]}),
        "services",
        "admin:users",
    ),
    "the agent is dead": (agent_away, "services", "agent does not run"),
    "the portal is away": (answer(STATUS, 0, AWAY), "portal", "the portal does not answer"),
    "the portal is something else": (answer(STATUS, 200, b"<p>"), "portal", "no portal"),
    "the portal does not know the site": (answer(STATUS, 200, {"sites": []}), "portal", "knows no site"),
    "the portal has another address": (state(url="https://x.fr/"), "portal", "sends people to https://x.fr/"),
    "the portal takes the site for down": (state(state="down", reason="no"), "portal", "shows labo as"),
    "heartbeats stopped": (state(heartbeat=OLD), "portal", "the last heartbeat"),
    "no heartbeat ever came": (state(heartbeat=None), "portal", "no heartbeat"),
    "the portal has another key": (answer(KEYS, 401, {"error": {"code": "unknown-key"}}), "portal", "unknown-key"),
    "the portal's clock differs": (answer(KEYS, 401, {"error": {"code": "not-now"}}), "portal", "a minute apart"),
    "the portal's name differs": (
        answer(KEYS, 401, {"error": {"code": "another-audience"}}),
        "portal",
        "another address",
    ),
    "the site has no key": (no_key, "portal", "no key yet"),
    "there are no profiles": (no_profiles, "spawner", "there are no profiles"),
    "a profile wants a GPU that is nowhere": (profile(resources={"gpu": 1}), "spawner", "more can't start here"),
}


@contextmanager
def quick() -> Iterator[None]:
    before, databases.PROBE_SECONDS = databases.PROBE_SECONDS, 1
    try:
        yield
    finally:
        databases.PROBE_SECONDS = before


def test_at_least_thirty_are_planted_and_without_one_all_is_well(around: Surroundings) -> None:
    assert len(PLANTED) >= 30
    assert wrong(around.check()) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_named_and_gone_when_its_mend_was_followed(around: Surroundings, name: str) -> None:
    plant, area, words = PLANTED[name]
    mend = plant(around)
    with quick():
        found = [one for one in around.check() if one.area == area and words in str(one.what)]
        assert found, [str(one.what) for one in around.check() if one.area == area]
        assert found[0].status in ("error", "warning", "skipped")
        assert found[0].mend, "it says what to do"
        mend(found[0])
        assert wrong(around.check()) == []

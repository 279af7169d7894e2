"""A person is shown all that is kept about her, and forgotten by every part; totals stay, her name is nobody's."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from jupytercloud_hub.auth.store import Store
from jupytercloud_hub.auth.tables import Binding, ProviderSession
from jupytercloud_hub.cli.main import main
from jupytercloud_hub.cli.person import STORES
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.culling.tables import Stopped, Warning_
from jupytercloud_hub.federation import homes
from jupytercloud_hub.federation.registry import Audited, note
from jupytercloud_hub.identity import Identity, Refused, Subject
from jupytercloud_hub.quotas.tables import CLOSED, RUNNING, ByDay, Interval
from jupytercloud_hub.settings import load
from jupytercloud_hub.storage import Base, Database
from jupytercloud_hub.storage.database import upgrade

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SETTINGS = 'site: {name: grenoble, url: "http://127.0.0.1:8000/", state: ./state}\n'


def identity(username: str, sub: str) -> Identity:
    subject = Subject(issuer="https://idp.example.fr", sub=sub)
    return Identity(subject=subject, person=f"{username}@example.fr", username=username)


def interval(user: str, state: str, number: int) -> Interval:
    return Interval(
        hub="grenoble", user=user, server="", started_us=number, state=state, profile="lab", cpu=1000, memory=1024,
        gpu=0, gpu_type="", rate=1, begin_s=0, counted_s=3600, ended_s=3600 if state == CLOSED else None,
        accounts=[["person", user], ["hub", "grenoble"]],
    )  # fmt: skip


class Hub:
    """The databases of a hub, with rows of two people in every part."""

    def __init__(self, folder) -> None:
        self.path = folder / "jupytercloud.yaml"
        self.path.write_text(SETTINGS)
        self.settings = load(self.path)

    def database(self, part: str) -> Database:
        return Database(self.settings.database_url(part), part)

    async def fill(self, *, running: bool = False) -> None:
        for part in STORES:
            await self.database(part).upgrade()
        async with self.database("auth").session() as session:
            for name, sub in (("lea", "1"), ("bob", "2")):
                issuer = "https://idp.example.fr"
                session.add(Binding(username=name, issuer=issuer, sub=sub, bound_at=NOW, seen_at=NOW))
                session.add(ProviderSession(username=name, issuer=issuer, sid=f"sid-{sub}", begun_at=NOW))
        async with self.database("federation").session() as session:
            for name in ("lea", "bob"):
                await homes.set_first(session, Person(username=name, person=f"{name}@example.fr"), "grenoble", NOW)
            await note(session, Audited(NOW, "lea", "drain", "grenoble", "maintenance"))
        async with self.database("culling").session() as session:
            for name in ("lea", "bob"):
                session.add(Warning_(user=name, server="", started=NOW, asker="idle", warned_at=NOW))
                stop = {"started": NOW, "stopped_at": NOW, "cause": "idle", "rule": "r", "reason": {"fr": "a"}}
                session.add(Stopped(user=name, server="", **stop))
        async with self.database("quotas").session() as session:
            for number, name in enumerate(("lea", "bob")):
                session.add(interval(name, CLOSED, number))
                sums = {"seconds": 3600, "cpu": 5, "memory": 6, "gpu": 0, "cost": 7, "starts": 1}
                session.add(ByDay(hub="grenoble", kind="person", name=name, day=NOW.date(), gpu_type="", **sums))
            if running:
                session.add(interval("lea", RUNNING, 99))

    async def everything(self) -> str:
        """All rows of all tables as one text."""
        words = []
        async with self.database("auth").session() as session:
            for table in Base.metadata.sorted_tables:
                found = await session.execute(text(f"SELECT * FROM {table.name}"))
                words += [f"{table.name} {row}" for row in found]
        return "\n".join(words)


@pytest.fixture
def hub(tmp_path) -> Hub:
    return Hub(tmp_path)


def run(hub: Hub, *args: str, **options) -> object:
    return CliRunner().invoke(main, ["person", *args, "--config", str(hub.path)], env={"LANG": "en"}, **options)


def exported(hub: Hub, user: str) -> dict:
    done = run(hub, "export", user)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_an_export_holds_the_rows_of_every_part_and_of_nobody_else(hub):
    asyncio.run(hub.fill())
    found = exported(hub, "lea")
    assert set(found["parts"]) == {"auth", "federation", "culling", "quotas", "events"}
    assert found["parts"]["auth"]["auth_binding"][0]["sub"] == "1"
    assert found["parts"]["federation"]["home_site"]["site"] == "grenoble"
    assert len(found["parts"]["culling"]["culling_warning"]) == 1
    assert found["parts"]["quotas"]["quotas_interval"][0]["profile"] == "lab"
    assert "bob" not in json.dumps(found)


def test_a_hub_without_some_parts_says_so_and_gets_no_database_by_being_asked(hub):
    found = exported(hub, "lea")
    assert found["parts"] == dict.fromkeys(STORES)
    assert not (hub.path.parent / "state").exists()
    upgrade_one = hub.database("quotas")
    asyncio.run(upgrade_one.upgrade())
    found = exported(hub, "lea")
    assert found["parts"]["auth"] is None
    assert found["parts"]["quotas"]["quotas_interval"] == []


def test_after_an_erasure_no_table_names_her_and_others_are_as_before(hub):
    asyncio.run(hub.fill())
    bob = exported(hub, "bob")["parts"]
    done = run(hub, "erase", "lea", "--yes")
    assert done.exit_code == 0, done.output
    assert "lea" not in asyncio.run(hub.everything())
    assert exported(hub, "bob")["parts"] == bob


def test_totals_stay_under_a_pseudonym(hub):
    asyncio.run(hub.fill())
    run(hub, "erase", "lea", "--yes")

    async def sums():
        async with hub.database("quotas").session() as session:
            rows = (await session.scalars(select(ByDay))).all()
            return sorted((row.name, row.cost) for row in rows)

    (bob, hers) = asyncio.run(sums())
    assert bob == ("bob", 7)
    assert hers[0].startswith("erased-")
    assert hers[1] == 7


def test_nobody_ever_gets_her_username_again(hub):
    asyncio.run(hub.fill())
    run(hub, "erase", "lea", "--yes")

    async def log_in() -> str:
        store = Store(hub.database("auth"), lambda: NOW)
        return await store.bind(identity("lea", "another"), [], hub_knows=lambda _: False)

    with pytest.raises(Refused, match="username-taken"):
        asyncio.run(log_in())


def test_it_can_be_run_twice_and_says_that_nothing_was_left_to_do(hub):
    asyncio.run(hub.fill())
    first = json.loads(run(hub, "erase", "lea", "--yes", "--json").stdout)
    everything = asyncio.run(hub.everything())
    second = run(hub, "erase", "lea", "--yes", "--json")
    assert first["erased"]["auth"] == 2
    assert set(first["left"].values()) == {0}
    assert second.exit_code == 0
    assert json.loads(second.stdout)["notes"] == ["nothing is kept about lea here"]
    assert asyncio.run(hub.everything()) == everything


def test_what_a_running_server_still_needs_is_told_and_goes_with_a_second_run(hub):
    asyncio.run(hub.fill(running=True))
    done = json.loads(run(hub, "erase", "lea", "--yes", "--json").stdout)
    assert done["left"]["quotas"] == 1
    assert "run this again" in " ".join(done["notes"])

    async def end() -> None:
        async with hub.database("quotas").session() as session:
            row = (await session.scalars(select(Interval).where(Interval.state == RUNNING))).one()
            row.state, row.ended_s = CLOSED, row.counted_s + int(timedelta(hours=1).total_seconds())

    asyncio.run(end())
    done = json.loads(run(hub, "erase", "lea", "--yes", "--json").stdout)
    assert set(done["left"].values()) == {0}
    assert "lea" not in asyncio.run(hub.everything())


def test_a_name_that_nobody_has_is_not_barred_by_a_slip_of_the_hand(hub):
    asyncio.run(hub.fill())
    before = asyncio.run(hub.everything())
    done = run(hub, "erase", "lae", "--yes")
    assert (done.exit_code, "nothing is kept about lae here" in done.output) == (0, True)
    assert asyncio.run(hub.everything()) == before


def test_without_yes_and_without_a_terminal_nothing_is_done(hub):
    asyncio.run(hub.fill())
    before = asyncio.run(hub.everything())
    done = run(hub, "erase", "lea")
    assert (done.exit_code, "--yes" in done.output) == (2, True)
    assert asyncio.run(hub.everything()) == before


def test_the_hubs_own_account_is_touched_only_when_asked_and_needs_a_token(hub, monkeypatch):
    monkeypatch.delenv("JUPYTERCLOUD_API_TOKEN", raising=False)
    asyncio.run(hub.fill())
    before = asyncio.run(hub.everything())
    done = run(hub, "erase", "lea", "--yes", "--hub-account")
    assert (done.exit_code, "JUPYTERCLOUD_API_TOKEN is not set" in done.output) == (2, True)
    assert asyncio.run(hub.everything()) == before
    assert "was not touched" in run(hub, "erase", "lea", "--yes").output


def test_tables_of_another_version_are_told_before_anything_is_read(hub):
    from sqlalchemy import create_engine

    database = hub.database("quotas")
    assert database
    upgrade(hub.settings.database_url("quotas"), "quotas")
    engine = create_engine(hub.settings.database_url("quotas"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE jupytercloud_alembic_version SET version_num = 'from_the_future'"))
    engine.dispose()
    done = run(hub, "export", "lea")
    assert done.exit_code == 1
    assert "of another version" in done.output


async def test_the_hubs_own_account_goes_with_its_server_when_asked_and_a_second_time_is_said(tmp_path, monkeypatch):
    from traitlets.config import Config

    from tests.support.hub import Visitor, start_hub, stop_hub

    config = Config()
    config.JupyterHub.services = [{"name": "operator", "api_token": "o" * 32}]
    config.JupyterHub.load_roles = [{"name": "operator", "services": ["operator"], "scopes": ["admin:users"]}]
    running = await start_hub(config, {"lea": {}}, tmp_path)
    try:
        async with Visitor(running) as browser:
            await browser.log_in("lea")
        path = tmp_path / "jupytercloud.yaml"
        path.write_text(SETTINGS.replace("http://127.0.0.1:8000/", running.hub.url.removesuffix("hub/")))
        monkeypatch.setenv("JUPYTERCLOUD_API_TOKEN", "o" * 32)
        command = ["person", "erase", "lea", "--yes", "--hub-account", "--config", str(path)]
        for words in ("is deleted", "JupyterHub knows no lea"):
            done = await asyncio.to_thread(CliRunner().invoke, main, command, env={"LANG": "en"})
            assert done.exit_code == 0, done.output
            assert words in done.output
        monkeypatch.setenv("JUPYTERCLOUD_API_TOKEN", "wrong")
        done = await asyncio.to_thread(CliRunner().invoke, main, command, env={"LANG": "en"})
        assert (done.exit_code, "403" in done.output) == (1, True)
    finally:
        await stop_hub(running)

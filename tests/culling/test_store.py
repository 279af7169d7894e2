"""What the culler remembers, on both databases: each promise of the store, and a pass that uses all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry

from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.culling.facts import Report
from jupytercloud_hub.culling.metrics import Metrics
from jupytercloud_hub.culling.passes import Culler
from jupytercloud_hub.culling.personal import erase, export
from jupytercloud_hub.culling.rules import KeepRefused, Maintenance, Memory, Server
from jupytercloud_hub.culling.store import Done, Store
from jupytercloud_hub.hubapi.client import HubApi
from jupytercloud_hub.settings.culling import CullingSettings
from jupytercloud_hub.storage import Database
from jupytercloud_hub.storage.plain import PlainDatabase

from .fakes import NOON, Clock, FakeHub, opened

MIN = timedelta(minutes=1)
ANNA = ("anna", "", NOON - 60 * MIN)
BEN = ("ben", "these", NOON - 60 * MIN)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"sqlite:///{tmp_path / 'culling.sqlite'}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[PlainDatabase]:
    database = await opened(database_url)
    yield database
    await database.close()


async def test_everything_that_is_written_is_read_again_for_all_and_for_one(database: PlainDatabase) -> None:
    store = Store(database)
    await store.warn([(ANNA, {}, {"rule": NOON}), (BEN, {}, {"quota": NOON, "rule": NOON})])
    await store.warn([(ANNA, {}, {"rule": NOON + MIN})])  # a page and a pass at once: the first word counts
    await store.warn([(BEN, {"quota": NOON, "rule": NOON}, {"rule": NOON})])
    await store.keep(ANNA, Memory(), NOON + 60 * MIN)
    await store.report(BEN, Report(NOON, NOON - MIN, ("calcul.ipynb",)))
    await store.report(BEN, Report(NOON + MIN, NOON, ()))
    await store.remember(read=NOON, counted=NOON)
    await store.remember(read=NOON + MIN)
    await store.set_maintenance(Maintenance(NOON + 90 * MIN, Localized({"fr": "Coupure", "en": "Power cut"})))
    whole = await store.remembered()
    assert whole.memory(ANNA) == Memory({"rule": NOON}, NOON + 60 * MIN, 1)
    assert whole.memory(BEN) == Memory({"rule": NOON})
    assert whole.reports == {BEN: Report(NOON + MIN, NOON, ())}
    assert whole.moments == {"read": NOON + MIN, "counted": NOON}
    assert whole.maintenance == await store.maintenance()
    assert set((await store.remembered("ben")).memories) == {BEN}
    assert set((await store.remembered("anna", "ben")).memories) == {ANNA, BEN}
    await store.set_maintenance(None)
    assert await store.maintenance() is None


async def test_of_two_keeps_at_once_one_is_counted(database: PlainDatabase) -> None:
    store = Store(database)
    await store.keep(ANNA, Memory(), NOON)
    seen = (await store.remembered("anna")).memory(ANNA)
    found = await asyncio.gather(*(store.keep(ANNA, seen, NOON + MIN) for _ in range(2)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in found) == ["KeepRefused", "NoneType"]
    assert (await store.remembered("anna")).memory(ANNA).keeps == 2
    with pytest.raises(KeepRefused):
        await store.keep(ANNA, seen, NOON)


async def test_each_way_of_telling_is_remembered_by_itself(database: PlainDatabase) -> None:
    store = Store(database)
    await store.warn([(ANNA, {}, {"rule": NOON}), (BEN, {}, {"rule": NOON})])
    await store.told("told", [ANNA])
    await store.told("mailed", [BEN])
    assert (await store.untold("told"), await store.untold("mailed")) == ({BEN}, {ANNA})


async def test_a_pass_belongs_to_one_until_its_lease_is_over(database: PlainDatabase) -> None:
    store, lease = Store(database), 2 * MIN
    assert await store.begin_pass("one", NOON, lease)
    assert await store.begin_pass("one", NOON + MIN, lease)
    assert not await store.begin_pass("other", NOON + 2 * MIN, lease)
    assert await store.begin_pass("other", NOON + 4 * MIN, lease)  # the first was killed
    await store.end_pass("one")
    assert not await store.begin_pass("one", NOON + 4 * MIN, lease)


async def test_a_person_is_exported_erased_and_forgotten_in_time(database: PlainDatabase, database_url: str) -> None:
    store = Store(database)
    server = Server("anna", "", ANNA[2], NOON, cpu=2.0, memory=2**33)
    reason = Localized({"fr": "Inactif", "en": "Idle"})
    await store.stopped(
        [Done(server, NOON, "idle", "ordinary", reason), Done(server, NOON + MIN, "age", "old", reason)]
    )
    await store.warn([(ANNA, {}, {"rule": NOON})])
    [freed, _] = await store.freed(NOON)
    assert (freed.cpu, freed.memory, freed.rule) == (2.0, 2**33, "ordinary")
    whole = Database(database_url, "culling")
    async with whole.session() as session:
        exported = await export(session, "anna")
        assert [len(rows) for rows in exported.values()] == [1, 0, 0, 2]
        await erase(session, "anna", "p-1")
        await erase(session, "anna", "p-1")
        assert not any((await export(session, "anna")).values())
    await whole.close()
    assert len(await store.freed(NOON)) == 2  # what it gave back is counted on
    await store.prune(NOON + 2 * MIN)
    assert await store.freed(NOON) == []


async def test_a_pass_warns_keeps_its_word_and_stops(database: PlainDatabase) -> None:
    hub, clock = FakeHub(), Clock()
    for number in range(12):
        hub.add(f"user-{number:02}", idle=55 * MIN, age=180 * MIN)
    settings = CullingSettings.model_validate({"rules": [{"name": "ordinary", "idle": "1 h"}], "settle": "1 h"})
    async with HubApi("http://hub.test/hub/api", "token", concurrency=20, transport=hub) as api:
        metrics = Metrics(CollectorRegistry())
        culler = Culler(settings, ZoneInfo("Europe/Paris"), api, Store(database), metrics, clock)
        assert not (await culler.run()).outcomes
        clock.tick(minutes=11)
        assert (await culler.run()).outcomes == {"stopped": 12}
    assert hub.most_in_flight <= settings.concurrency
    assert len(await Store(database).recent_stops("user-03", NOON)) == 1

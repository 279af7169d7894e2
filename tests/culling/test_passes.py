"""The promises of a pass, one test each, on a hub that answers from memory and a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from prometheus_client import CollectorRegistry

from jupytercloud_hub.contracts.stops import StopList, StopRequest
from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.culling.asked import Asked
from jupytercloud_hub.culling.facts import Report
from jupytercloud_hub.culling.metrics import Metrics
from jupytercloud_hub.culling.passes import Busy, Culler
from jupytercloud_hub.culling.personal import erase, export
from jupytercloud_hub.culling.rules import KeepRefused, Maintenance
from jupytercloud_hub.culling.store import Store
from jupytercloud_hub.culling.webhook import Webhook
from jupytercloud_hub.hubapi.client import HubApi, HubApiError
from jupytercloud_hub.settings.culling import CullingSettings
from jupytercloud_hub.storage import Database
from jupytercloud_hub.storage.plain import PlainDatabase

from .fakes import NOON, Clock, FakeHub, iso, opened

MIN = timedelta(minutes=1)
HOUR = timedelta(hours=1)
RULES = {
    "rules": [{"name": "ordinary", "idle": "1 h", "warn": "10 min", "keep": {"duration": "1 h"}}],
    "settle": "1 h",
}

Make = Callable[..., Culler]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[PlainDatabase]:
    database = await opened(f"sqlite:///{tmp_path / 'culling.sqlite'}")
    yield database
    await database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def make(hub: FakeHub, database: PlainDatabase, clock: Clock) -> Make:
    def made(asked: Asked | None = None, webhook: Webhook | None = None, **settings: Any) -> Culler:
        api = HubApi("http://hub.test/hub/api", "token", concurrency=100, transport=hub)
        culling = CullingSettings.model_validate({**RULES, **settings})
        metrics = Metrics(CollectorRegistry())
        zone = ZoneInfo("Europe/Paris")
        return Culler(culling, zone, api, Store(database), metrics, clock, asked, webhook, poll_seconds=0.02)

    return made


async def test_all_pages_are_read_before_anything_is_decided(hub: FakeHub, make: Make) -> None:
    for number in range(450):
        hub.add(f"user-{number:03}", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    done = await culler.run()
    assert len(done.verdicts) == 450
    assert {verdict.action.value for verdict in done.verdicts} == {"warn"}
    assert [method for method, _ in hub.requests] == ["GET"] * 3


async def test_a_page_that_fails_ends_the_pass_and_nothing_is_lost_by_it(
    hub: FakeHub, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupytercloud_hub.hubapi.client._BACK_OFF_SECONDS", 0.001)
    for number in range(300):
        hub.add(f"user-{number:03}", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    await culler.run()
    clock.tick(minutes=11)
    pages = 0

    def second_page_breaks(method: str, path: str) -> httpx.Response | None:
        nonlocal pages
        pages += path == "users"
        return httpx.Response(503) if pages > 1 else None

    hub.before = second_page_breaks
    with pytest.raises(HubApiError):
        await culler.run()
    assert hub.stopped == []
    hub.before = None
    done = await culler.run()
    assert (done.outcomes["stopped"], len(hub.stopped)) == (300, 300)


async def test_a_hub_that_is_overloaded_for_a_moment_is_asked_again(
    hub: FakeHub, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupytercloud_hub.hubapi.client._BACK_OFF_SECONDS", 0.001)
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    await culler.run()
    clock.tick(minutes=11)
    refusals = iter([429, 503, 429])

    def overloaded(method: str, path: str) -> httpx.Response | None:
        status = next(refusals, None) if method == "DELETE" else None
        return httpx.Response(status) if status else None

    hub.before = overloaded
    assert (await culler.run()).outcomes == {"stopped": 1}
    assert hub.stopped == [("anna", "")]


async def test_who_comes_back_between_the_list_and_the_delete_is_spared(hub: FakeHub, make: Make, clock: Clock) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    hub.add("bob", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    await culler.run()
    clock.tick(minutes=11)

    def anna_comes_back(method: str, path: str) -> httpx.Response | None:
        if path == "users/anna":
            hub.users["anna"][""]["last_activity"] = iso(clock())
        return None

    hub.before = anna_comes_back
    assert (await culler.run()).outcomes == {"spared": 1, "stopped": 1}
    assert hub.stopped == [("bob", "")]
    clock.tick(minutes=1)
    hub.before = None
    (verdict,) = (await culler.run()).verdicts
    assert verdict.action.value == "leave"  # she is no longer warned either


async def test_a_server_that_was_started_anew_meanwhile_is_another_server(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    await culler.run()
    clock.tick(minutes=11)

    def restarted(method: str, path: str) -> httpx.Response | None:
        if path == "users/anna":
            hub.users["anna"][""] |= {"started": iso(clock()), "last_activity": iso(NOON - 5 * HOUR)}
        return None

    hub.before = restarted
    assert (await culler.run()).outcomes == {"gone": 1}
    assert hub.stopped == []


@pytest.mark.parametrize("slow", [False, True])
async def test_never_more_stops_in_flight_than_allowed_also_when_they_are_slow(
    hub: FakeHub, make: Make, clock: Clock, slow: bool
) -> None:
    hub.stop_seconds, hub.slow = 0.4, slow
    for number in range(40):
        hub.add(f"user-{number}", idle=55 * MIN, age=3 * HOUR)
    culler = make(concurrency=7)
    await culler.run()
    clock.tick(minutes=11)
    assert (await culler.run()).outcomes == {"stopped": 40}
    assert hub.most_in_flight == 7


async def test_a_stop_that_does_not_end_in_time_is_counted_as_failed_and_tried_again(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.stop_seconds, hub.slow = 30, True
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    culler = make(stop_timeout="0.2 s")
    await culler.run()
    clock.tick(minutes=11)
    assert (await culler.run()).outcomes == {"failed": 1}
    assert (await culler.run()).verdicts[0].action.value == "pending"
    hub.users["anna"][""] |= {"pending": None, "ready": True}  # the hub gave up
    hub.stop_seconds, hub.slow = 0, False
    assert (await culler.run()).outcomes == {"stopped": 1}


async def test_two_passes_are_never_run_at_once(hub: FakeHub, make: Make, clock: Clock) -> None:
    hub.stop_seconds = 0.2
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    one, other = make(), make()
    await one.run()
    clock.tick(minutes=11)
    running = asyncio.create_task(one.run())
    await asyncio.sleep(0.1)
    with pytest.raises(Busy):
        await other.run()
    await running
    assert (await other.run()).verdicts == []


async def test_a_pass_whose_process_was_killed_holds_up_the_next_only_until_its_lease_ends(
    hub: FakeHub, make: Make, clock: Clock, database: PlainDatabase
) -> None:
    await Store(database).begin_pass("killed", clock(), timedelta(minutes=2))
    culler = make()
    with pytest.raises(Busy):
        await culler.run()
    clock.tick(minutes=3)
    await culler.run()


async def test_another_process_goes_on_where_the_first_was_killed(hub: FakeHub, make: Make, clock: Clock) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    await make().run()
    clock.tick(minutes=9)
    (verdict,) = (await make().run()).verdicts
    assert (verdict.action.value, verdict.stops_at) == ("wait", NOON + 10 * MIN)
    clock.tick(minutes=1)
    assert (await make().run()).outcomes == {"stopped": 1}


async def test_after_an_outage_nobody_is_stopped_for_an_idleness_that_nobody_recorded(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    culler = make(settle="10 min")
    await culler.run()
    clock.tick(hours=2)  # the hub was away: what anna did is not in its database
    (verdict,) = (await culler.run()).verdicts
    assert verdict.action.value == "hold"
    clock.tick(minutes=2)
    hub.users["anna"][""]["last_activity"] = iso(clock())  # her server's next report
    (verdict,) = (await make(settle="10 min").run()).verdicts
    assert verdict.action.value == "leave"
    clock.tick(minutes=9)
    hub.add("bob", idle=55 * MIN, age=3 * HOUR)
    await culler.run()
    clock.tick(minutes=10)
    await culler.run()
    assert hub.stopped == [("bob", "")]


async def test_the_extensions_word_counts_while_it_is_fresh_and_the_hubs_when_it_is_silent(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.add("tab-left-open", idle=0 * MIN, age=3 * HOUR)
    hub.add("long-computation", idle=3 * HOUR, age=4 * HOUR)
    hub.add("silent", idle=0 * MIN, age=3 * HOUR)
    culler = make()
    starts = {verdict.server.user: verdict.server.key for verdict in (await culler.run()).verdicts}
    store = culler.store
    await store.report(starts["tab-left-open"], Report(NOON, NOON - 2 * HOUR))
    await store.report(starts["long-computation"], Report(NOON, NOON - 3 * HOUR, ("these.ipynb",)))
    await store.report(starts["silent"], Report(NOON - 10 * MIN, NOON - 2 * HOUR))
    actions = {v.server.user: v.action.value for v in (await culler.run()).verdicts}
    assert actions == {"tab-left-open": "warn", "long-computation": "leave", "silent": "leave"}


async def test_keep_it_is_counted_once_when_it_is_asked_twice_at_the_same_moment(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    (verdict,) = (await culler.run()).verdicts
    answers = await asyncio.gather(*(culler.keep(verdict.server) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, KeepRefused) for answer in answers) == 4
    clock.tick(minutes=30)
    assert (await culler.run()).verdicts[0].stops_at == NOON + HOUR


async def test_what_the_quota_service_asks_for_is_done_and_its_silence_stops_nobody(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.add("anna", idle=0 * MIN, age=3 * HOUR)
    request = StopRequest(
        user="anna",
        started=NOON - 3 * HOUR,
        at=NOON + 15 * MIN,
        rule="gpu-hours",
        reason={"fr": "Budget épuisé.", "en": "Budget used up."},
    )
    away = False

    def quotas(_: httpx.Request) -> httpx.Response:
        body = StopList(generated=clock(), stops=(request,)).model_dump_json()
        return httpx.Response(500) if away else httpx.Response(200, content=body)

    culler = make(Asked("http://quotas.test/api/v1/stops", "token", httpx.MockTransport(quotas)))
    (verdict,) = (await culler.run()).verdicts
    assert (verdict.action.value, str(verdict.reason)) == ("warn", "Budget used up.")
    clock.tick(minutes=15)
    hub.users["anna"][""]["last_activity"] = iso(clock())
    away = True
    assert (await culler.run()).outcomes == {}
    away = False
    assert (await culler.run()).verdicts[0].action.value == "warn"  # the silence withdrew the first warning
    clock.tick(minutes=10)
    assert (await culler.run()).outcomes == {"stopped": 1}


async def test_a_maintenance_warns_everybody_and_stops_all_at_its_hour_unless_it_is_taken_back(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.add("anna", idle=0 * MIN, age=3 * HOUR)
    hub.add("bob", "gpu", idle=0 * MIN, age=3 * HOUR)
    culler = make()
    maintenance = Maintenance(NOON + 30 * MIN, Localized({"fr": "Mise à jour", "en": "Upgrade"}))
    await culler.store.set_maintenance(maintenance)
    assert {verdict.action.value for verdict in (await culler.run()).verdicts} == {"warn"}
    await culler.store.set_maintenance(None)
    assert {verdict.action.value for verdict in (await culler.run()).verdicts} == {"leave"}
    await culler.store.set_maintenance(maintenance)
    await culler.run()
    clock.tick(minutes=30)
    assert (await culler.run()).outcomes == {"stopped": 2}


async def test_a_plan_writes_warns_and_stops_nothing(hub: FakeHub, make: Make, clock: Clock) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    _, standings = await culler.plan()
    assert [standing.verdict.action.value for standing in standings] == ["warn"]
    assert not (await culler.store.remembered()).memories
    assert {method for method, _ in hub.requests} == {"GET"}


async def test_what_is_kept_of_a_person_can_be_read_and_erased_twice(
    hub: FakeHub, make: Make, clock: Clock, tmp_path: Path
) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    hub.add("anna", "b", idle=55 * MIN, age=3 * HOUR)
    culler = make()
    (first, _) = (await culler.run()).verdicts
    await culler.keep(first.server)
    clock.tick(minutes=10)
    await culler.run()
    whole = Database(f"sqlite:///{tmp_path / 'culling.sqlite'}", "culling")
    async with whole.session() as session:
        found = await export(session, "anna")
    assert {table: len(rows) for table, rows in found.items() if rows} == {
        "culling_warning": 1,
        "culling_kept": 1,
        "culling_stopped": 1,
    }
    for _ in range(2):
        async with whole.session() as session:
            await erase(session, "anna", "erased-7")
    async with whole.session() as session:
        assert not any((await export(session, "anna")).values())
        assert len((await export(session, "erased-7"))["culling_stopped"]) == 1
    await whole.close()


async def test_what_a_stop_gave_back_is_counted_pass_by_pass_until_its_owner_is_back(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    record = {"profile": "gpu", "options": {}, "resources": {"cpu": 4, "memory": 16 * 1024**3, "gpu": 1}}
    hub.add("anna", idle=55 * MIN, age=3 * HOUR, state={"jupytercloud": record})
    culler = make()
    await culler.run()
    clock.tick(minutes=10)
    await culler.run()
    for _ in range(3):
        clock.tick(minutes=20)
        await culler.run()
    assert culler.metrics.reclaimed["core"].labels("ordinary")._value.get() == pytest.approx(4)
    assert culler.metrics.reclaimed["gpu"].labels("ordinary")._value.get() == pytest.approx(1)
    hub.users["anna"][""] = {"started": iso(clock()), "last_activity": iso(clock()), "ready": True}
    clock.tick(minutes=20)
    await culler.run()
    assert culler.metrics.reclaimed["core"].labels("ordinary")._value.get() == pytest.approx(4)


async def test_the_webhook_is_told_each_warning_until_it_takes_it_and_then_no_more(
    hub: FakeHub, make: Make, clock: Clock
) -> None:
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    hub.add("bob", idle=0 * MIN, age=3 * HOUR)
    bodies: list[Any] = []

    def take(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        bodies.append(json.loads(request.content))
        return httpx.Response(503 if len(bodies) == 1 else 204)

    page = "http://hub.test/services/culler/"
    webhook = Webhook("http://127.0.0.1/hook", "secret", "essai", page, httpx.MockTransport(take))
    culler = make(webhook=webhook)
    for _ in range(4):
        await culler.run()
        clock.tick(minutes=1)
    assert len(bodies) == 2
    (warning,) = bodies[1]["warnings"]
    assert (bodies[1]["site"], warning["user"], warning["rule"]) == ("essai", "anna", "ordinary")
    assert warning["reason"]["fr"] == "Arrêt après 1 h sans activité (ordinary)."

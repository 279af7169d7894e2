"""The ledger in step with the hub: heartbeats, what was missed, what is gone, and a hub that is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.hubapi import HubApiError, client
from jupytercloud_hub.quotas.admission import Admission
from jupytercloud_hub.quotas.clock import Clock, parent_began
from jupytercloud_hub.quotas.collector import Collector
from jupytercloud_hub.quotas.hub_age import hub_began
from jupytercloud_hub.quotas.ledger import Ledger
from jupytercloud_hub.quotas.metrics import Metrics
from jupytercloud_hub.quotas.notices import Notices
from jupytercloud_hub.quotas.tables import CLOSED, PLACE, RUNNING
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.settings import Settings
from jupytercloud_hub.settings.quotas import Budget, Limit, QuotasSettings
from jupytercloud_hub.settings.site import SiteSettings

from .helpers import ANNA, T0, FakeHub, confirm, intervals, minutes, record, release, reserve, sums

BUDGET = Budget(name="students", limits=(Limit(units=2, hard=True, grace=minutes(15)),))
SITE = SiteSettings(name="grenoble", url="http://127.0.0.1/")


class World:
    """A hub, a clock, and the service's parts around one ledger; `restart` is what a kill -9 leaves."""

    def __init__(self, ledger: Ledger, hub: FakeHub, *budgets: Budget) -> None:
        self.ledger, self.hub, self.step = ledger, hub, timedelta()
        self.now = T0
        self.quotas = QuotasSettings(budgets=budgets)
        self.settings = Settings(site=SITE, quotas=self.quotas, file=Path("jupytercloud.yaml"))
        reader = Reader(ledger, self.quotas)
        self.door = Admission(ledger, reader, self.quotas, SITE)
        self.notices = Notices(ledger, reader, lambda name: self.collector.people.get(name))
        self.restart()

    def restart(self, hub_back: datetime = T0, *, managed: bool = True) -> None:
        """Begin anew; a service that the hub does not start itself asks the hub for its age."""
        self.api = self.hub.api()
        self.clock = Clock(self.ledger, lambda: self.now, lambda: self.passed, "boot")
        metrics = Metrics(CollectorRegistry())
        began = None if managed else partial(hub_began, self.api)
        known = hub_back if managed else self.now
        self.collector = Collector(self.ledger, self.api, self.settings, metrics, self.clock.now, known, began)

    @property
    def passed(self) -> float:
        """Seconds on the monotonic clock, which nobody sets."""
        return (self.now - self.step - T0).total_seconds()

    async def look(self, after: float = 0):
        self.now += minutes(after)
        found = await self.collector.look()
        await self.clock.keep()
        await self.notices.refresh(self.now)
        return found


@pytest.fixture
async def world(ledger: Ledger) -> AsyncIterator[World]:
    world = World(ledger, FakeHub())
    yield world
    await world.api.close()


async def test_a_running_server_is_counted_at_each_heartbeat(world: World):
    start = reserve()
    await world.door.answer(start, T0)
    world.hub.start(pending="spawn")
    await world.look(1)
    assert (await sums(world.ledger))["seconds"] == 0
    world.hub.start()
    await world.look(1)
    await world.look(1)
    assert (await sums(world.ledger))["seconds"] == 180
    [interval] = await intervals(world.ledger)
    assert interval.state == RUNNING


async def test_a_slow_start_keeps_its_place_for_as_long_as_the_hub_says_that_it_starts(world: World):
    start = reserve()
    await world.door.answer(start, T0)
    world.hub.start(pending="spawn")
    for _ in range(5):
        await world.look(8)
    assert [interval.state for interval in await intervals(world.ledger)] == [PLACE]


async def test_a_look_at_a_server_that_starts_does_not_answer_in_place_of_the_budget(ledger: Ledger):
    world = World(ledger, FakeHub(), Budget(name="nothing", limits=(Limit(units=0, hard=True),)))
    world.hub.start(pending="spawn")
    await world.look()
    assert (await world.door.answer(reserve(), T0)).verdict == "refused"
    await world.api.close()


async def test_a_server_that_stopped_without_a_word_ends_when_the_hub_stopped_it(world: World):
    start = reserve()
    await world.door.answer(start, T0)
    await world.door.answer(confirm(start), T0)
    world.hub.start()
    await world.look(1)
    world.hub.stop("anna", T0 + minutes(1.5))
    await world.look(1)
    [interval] = await intervals(world.ledger)
    assert (interval.state, interval.closed_by, interval.ended_s - interval.begin_s) == (CLOSED, "hub", 90)
    assert (await sums(world.ledger))["seconds"] == 90


async def test_a_person_who_was_deleted_is_counted_to_the_last_heartbeat(world: World):
    world.hub.start()
    await world.look(10)
    del world.hub.users["anna"]
    await world.look(1)
    [interval] = await intervals(world.ledger)
    assert (interval.state, interval.ended_s - interval.begin_s) == (CLOSED, 600)


async def test_what_started_while_the_service_was_away_is_adopted_with_its_whole_time(world: World):
    world.hub.start(state=record(cpu=3, profile="big"))
    found = await world.look(30)
    assert found.adopted == 1
    [interval] = await intervals(world.ledger)
    assert (interval.state, interval.profile, interval.cpu) == (RUNNING, "big", 3000)
    assert (await sums(world.ledger))["seconds"] == 1800
    assert (await sums(world.ledger, "group", "m2"))["starts"] == 1


async def test_a_service_that_was_away_while_a_server_stopped_learns_when_from_the_hub(world: World):
    world.hub.start()
    await world.look(1)
    world.now = T0 + minutes(120)
    world.hub.stop("anna", T0 + minutes(60))
    world.restart()
    await world.look()
    assert (await sums(world.ledger))["seconds"] == 3600


@pytest.mark.parametrize(
    ("told", "hub_began", "counted"),
    [(True, T0, 3600), (True, T0 + minutes(90), 60), (False, T0, 60)],
    ids=["the hub ran all the time", "the hub was started in between", "the hub does not tell"],
)
async def test_a_service_that_the_hub_did_not_start_asks_it_for_its_age(
    world: World, told: bool, hub_began: datetime, counted: int
):
    world.hub.start()
    await world.look(1)
    world.now = T0 + minutes(120)
    world.hub.stop("anna", T0 + minutes(60))
    world.hub.began = hub_began if told else None
    world.restart(managed=False)
    await world.look()
    assert (await sums(world.ledger))["seconds"] == counted
    assert world.hub.calls.count("metrics") == 1
    await world.look(1)
    assert world.hub.calls.count("metrics") == 1  # asked again only when the hub was away


async def test_what_stopped_while_a_running_hub_was_out_of_reach_is_counted_to_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(client, "RETRIES", 0)
    world.hub.began = T0
    world.restart(managed=False)
    world.hub.start()
    await world.look(1)
    world.hub.away = True
    with pytest.raises(HubApiError):
        await world.look(1)
    world.hub.stop("anna", T0 + minutes(10))
    world.hub.away = False
    await world.look(20)
    assert (await sums(world.ledger))["seconds"] == 600


async def test_what_died_while_the_hub_was_down_is_counted_to_the_last_heartbeat_only(world: World):
    world.hub.start()
    await world.look(1)
    world.now = T0 + minutes(120)
    world.hub.stop("anna", T0 + minutes(120))  # the hub stops at its return what it finds dead
    world.restart(hub_back=world.now)
    await world.look(0.5)
    assert (await sums(world.ledger))["seconds"] == 60


async def test_what_outlived_the_hub_and_stopped_later_is_counted_to_its_end(world: World):
    world.hub.start()
    await world.look(1)
    world.now = T0 + minutes(120)
    world.hub.stop("anna", T0 + minutes(100))
    world.restart(hub_back=T0 + minutes(90))
    await world.look()
    assert (await sums(world.ledger))["seconds"] == 6000


async def test_a_server_that_outlived_hub_and_service_is_one_interval(world: World):
    world.hub.start()
    await world.look(1)
    world.now = T0 + minutes(120)
    world.restart()
    await world.look()
    [interval] = await intervals(world.ledger)
    assert (interval.state, (await sums(world.ledger))["seconds"]) == (RUNNING, 7200)


async def test_a_hub_that_is_away_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "RETRIES", 0)
    world.hub.start()
    await world.look(1)
    world.hub.away = True
    with pytest.raises(HubApiError):
        await world.look(1)
    [interval] = await intervals(world.ledger)
    assert (interval.state, (await sums(world.ledger))["seconds"]) == (RUNNING, 60)
    world.hub.away = False
    await world.look(10)
    assert (await sums(world.ledger))["seconds"] == 720


async def test_a_restarted_server_is_two_intervals(world: World):
    world.hub.start()
    await world.look(1)
    world.hub.start(started=T0 + minutes(1.5))
    await world.look(1)
    first, second = await intervals(world.ledger)
    assert (first.state, second.state) == (CLOSED, RUNNING)
    # of the first, what ran after the last heartbeat is lost: the hub keeps the moment of the latest stop only
    assert (await sums(world.ledger))["seconds"] == 60 + 30


async def test_a_server_that_slipped_between_two_pages_is_not_taken_for_gone(world: World):
    people = [Person(username=f"user-{number:02}") for number in range(6)]
    for person in people:
        world.hub.start(person)
    await world.look(1)
    world.hub.page_size = 2

    def one_leaves(offset: int) -> None:
        if offset == 2:
            world.hub.stop("user-00", T0 + minutes(1.5))

    world.hub.before_page = one_leaves
    await world.look(1)
    assert [interval.state for interval in await intervals(world.ledger)] == [RUNNING] * 6  # two are in doubt
    world.hub.before_page = None
    await world.look(1)
    states = {interval.user: interval.state for interval in await intervals(world.ledger)}
    assert states == {"user-00": CLOSED} | {person.username: RUNNING for person in people[1:]}
    for person in people[1:]:
        assert (await sums(world.ledger, "person", person.username))["seconds"] == 180


async def test_a_stop_that_overtakes_a_reading_of_the_hub_is_not_undone(world: World):
    start = reserve()
    await world.door.answer(start, T0)
    await world.door.answer(confirm(start), T0)
    world.hub.start()
    await world.door.answer(release(start), T0 + minutes(2))  # the hub's list still has it
    await world.look(3)
    [interval] = await intervals(world.ledger)
    assert (interval.state, interval.ended_s - interval.begin_s) == (CLOSED, 120)


async def test_two_collectors_at_once_count_everything_once(world: World):
    import asyncio

    for number in range(5):
        world.hub.start(Person(username=f"user-{number}"))
    other = World(world.ledger, world.hub)
    for _ in range(3):
        world.now += minutes(1)
        other.now = world.now
        await asyncio.gather(world.look(), other.look())
    assert len(await intervals(world.ledger)) == 5
    assert (await sums(world.ledger, "hub", "grenoble"))["seconds"] == 5 * 180
    await other.api.close()


async def test_a_hard_budget_that_is_used_up_stops_what_runs_after_its_grace_until_there_is_more(ledger: Ledger):
    world = World(ledger, FakeHub(), BUDGET)
    world.hub.start(ANNA)
    await world.look(59)
    assert await world.notices.stops(world.now, "Europe/Paris") == []
    await world.look(1)
    [stop] = await world.notices.stops(world.now, "Europe/Paris")
    assert (stop.user, stop.server, stop.started, stop.rule) == ("anna", "", T0, "students")
    assert stop.at == world.now.replace(microsecond=0) + minutes(15)
    assert "épuisé" in stop.reason["fr"]
    assert "used up" in stop.reason["en"]
    await world.look(5)
    assert [again.at for again in await world.notices.stops(world.now, "Europe/Paris")] == [stop.at]
    world.now = datetime.fromisoformat("2026-11-30T23:00:01Z")
    assert await world.notices.stops(world.now, "Europe/Paris") == []
    await world.api.close()


@pytest.mark.parametrize("hours", [5, -5, 0.01, -0.01])
@pytest.mark.parametrize("restarted", [False, True], ids=["in between", "while no service runs"])
async def test_a_clock_that_is_set_changes_no_hours(world: World, hours: float, restarted: bool):
    step = timedelta(hours=hours)
    start = reserve()
    await world.door.answer(start, T0)
    await world.door.answer(confirm(start), T0)
    world.hub.start()
    await world.look(10)
    world.now += step
    world.step = step
    if restarted:
        world.restart()
    await world.look(10)
    await world.look(10)
    world.now += minutes(5)
    await world.door.answer(release(start), await world.clock.now())
    assert (await sums(world.ledger))["seconds"] == pytest.approx(35 * 60, abs=2)
    later = reserve(started=world.now)
    await world.door.answer(later, world.now)
    await world.door.answer(confirm(later), world.now)
    await world.door.answer(release(later), world.now + minutes(10))
    assert (await sums(world.ledger))["seconds"] == pytest.approx(45 * 60, abs=2)
    assert (await sums(world.ledger))["starts"] == 2


async def test_a_server_that_started_after_the_clock_was_set_is_dated_right(world: World):
    await world.look(10)
    world.step = timedelta(hours=-5)
    world.now += world.step + minutes(1)
    world.hub.start(started=world.now)
    world.now += minutes(1)
    await world.look()
    await world.look(1)
    assert (await sums(world.ledger))["seconds"] == 120


async def test_what_died_while_the_hub_was_away_from_a_service_that_went_on_is_not_guessed_either(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(client, "RETRIES", 0)
    world.hub.start()
    await world.look(1)
    world.hub.away = True
    with pytest.raises(HubApiError):
        await world.look(1)
    world.hub.away = False
    world.hub.stop("anna", T0 + minutes(2.5))
    await world.look(1)
    assert (await sums(world.ledger))["seconds"] == 60


def test_the_age_of_the_process_that_started_this_one_is_known():
    now = datetime.now(UTC)
    assert timedelta() < now - parent_began(now) < timedelta(days=1)


async def test_the_end_of_a_later_start_is_not_taken_for_that_of_an_earlier_one(world: World):
    world.hub.start()
    await world.look(1)
    again = reserve(started=T0 + minutes(3))  # the first release was lost; this start and its end are not
    world.hub.start(started=T0 + minutes(3))
    await world.door.answer(again, T0 + minutes(3))
    await world.door.answer(confirm(again), T0 + minutes(3))
    world.hub.stop("anna", T0 + minutes(5))
    await world.door.answer(release(again), T0 + minutes(5))
    await world.look(5)
    first, second = await intervals(world.ledger)
    assert (first.ended_s - first.begin_s, second.ended_s - second.begin_s) == (60, 120)

"""The promises of the ledger, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.quotas.admission import Admission
from jupytercloud_hub.quotas.ledger import Ledger
from jupytercloud_hub.quotas.tables import CLOSED, DROPPED, PLACE, RUNNING
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.settings.quotas import Budget, Concurrent, Limit, QuotasSettings
from jupytercloud_hub.settings.site import SiteSettings
from jupytercloud_hub.web.errors import PublicError

from .helpers import ANNA, T0, confirm, intervals, key, minutes, release, reserve, sums

SITE = SiteSettings(name="grenoble", url="http://127.0.0.1/", contact="aide@example.fr")
TEN_UNITS = Budget(name="students", limits=(Limit(units=10, hard=True),), contact="profs@example.fr")


def admission(ledger: Ledger, *budgets: Budget, **quotas: object) -> Admission:
    settings = QuotasSettings(budgets=budgets, **quotas)  # type: ignore[arg-type]
    return Admission(ledger, Reader(ledger, settings), settings, SITE)


async def test_a_start_is_counted_from_its_beginning_to_its_stop(ledger: Ledger):
    door, start = admission(ledger), reserve()
    assert (await door.answer(start, T0)).verdict == "admitted"
    assert (await intervals(ledger))[0].state == PLACE
    assert (await door.answer(confirm(start), T0 + minutes(1))).verdict == "confirmed"
    assert (await door.answer(release(start), T0 + minutes(30))).verdict == "released"
    [interval] = await intervals(ledger)
    assert (interval.state, interval.ended_s - interval.begin_s) == (CLOSED, 1800)
    for kind, name in (
        ("person", "anna"),
        ("group", "m2"),
        ("organization", "univ-grenoble-alpes.fr"),
        ("hub", "grenoble"),
    ):
        found = await sums(ledger, kind, name)
        assert (found["seconds"], found["cost"], found["starts"]) == (1800, 2_000_000 * 1800, 1)


async def test_every_message_may_be_sent_twice(ledger: Ledger):
    door, start = admission(ledger, TEN_UNITS), reserve()
    for message, moment in (
        (start, T0),
        (start, T0 + minutes(1)),
        (confirm(start), T0 + minutes(2)),
        (confirm(start), T0 + minutes(3)),
        (start, T0 + minutes(4)),
        (release(start), T0 + minutes(10)),
        (release(start), T0 + minutes(20)),
        (start, T0 + minutes(21)),
    ):
        await door.answer(message, moment)
    [interval] = await intervals(ledger)
    assert interval.state == CLOSED
    assert await sums(ledger) == {
        "seconds": 600,
        "cpu": 2000 * 600,
        "memory": 4096 * 600,
        "gpu": 0,
        "cost": 2_000_000 * 600,
        "starts": 1,
    }
    with pytest.raises(PublicError) as refused:
        await door.answer(confirm(start), T0 + minutes(22))
    assert refused.value.status == 409


async def test_a_failed_start_gives_its_place_back_and_counts_nothing(ledger: Ledger):
    door = admission(ledger, Budget(name="one", concurrent=Concurrent(servers=1)))
    first, second = reserve(), reserve(server="other")
    await door.answer(first, T0)
    assert (await door.answer(second, T0)).verdict == "refused"
    await door.answer(release(first), T0 + minutes(1))
    assert (await door.answer(second, T0 + minutes(1))).verdict == "admitted"
    dropped, place = await intervals(ledger)
    assert (dropped.state, place.state) == (DROPPED, PLACE)
    assert not any((await sums(ledger)).values())


async def test_a_refused_start_that_releases_takes_nothing_from_others(ledger: Ledger):
    door = admission(ledger, Budget(name="one", concurrent=Concurrent(servers=1)))
    await door.answer(reserve(), T0)
    refused = reserve(server="other")
    assert (await door.answer(refused, T0)).verdict == "refused"
    assert (await door.answer(release(refused), T0)).verdict == "released"
    assert [interval.state for interval in await intervals(ledger)] == [PLACE]
    assert (await door.answer(reserve(server="third"), T0)).verdict == "refused"


async def test_a_place_lapses_and_a_server_that_came_up_late_still_counts(ledger: Ledger):
    door = admission(ledger, Budget(name="one", concurrent=Concurrent(servers=1)), place=minutes(5))
    late, other = reserve(), reserve(server="other")
    answer = await door.answer(late, T0)
    assert answer.expires == (T0 + minutes(5)).replace(microsecond=0)
    assert (await door.answer(other, T0 + minutes(4))).verdict == "refused"
    assert (await door.answer(other, T0 + minutes(6))).verdict == "admitted"
    await door.answer(confirm(late), T0 + minutes(7))
    await door.answer(release(late), T0 + minutes(10))
    assert (await sums(ledger))["seconds"] == 600


async def test_a_server_that_starts_anew_takes_the_place_of_its_start_that_failed_unheard(ledger: Ledger):
    door = admission(ledger, Budget(name="one", concurrent=Concurrent(servers=1)))
    await door.answer(reserve(), T0)
    again = reserve(started=T0 + minutes(1))
    assert (await door.answer(again, T0 + minutes(1))).verdict == "admitted"
    assert (await door.answer(reserve(server="other"), T0 + minutes(1))).verdict == "refused"
    await door.answer(confirm(again), T0 + minutes(2))
    assert [interval.state for interval in await intervals(ledger)] == [DROPPED, RUNNING]


async def test_a_server_that_starts_anew_is_not_refused_for_its_own_end_that_nobody_told(ledger: Ledger):
    door = admission(ledger, Budget(name="one", concurrent=Concurrent(servers=1), limits=(Limit(units=3, hard=True),)))
    await door.answer(reserve(), T0)
    await door.answer(confirm(reserve()), T0)
    again = reserve(started=T0 + minutes(1))
    assert (await door.answer(reserve(server="other"), T0 + minutes(1))).verdict == "refused"
    assert (await door.answer(again, T0 + minutes(1))).verdict == "admitted"
    assert (await door.answer(reserve(server="other"), T0 + minutes(1))).verdict == "refused"
    assert [interval.state for interval in await intervals(ledger)] == [RUNNING, PLACE], "its end is the hub's to tell"


async def test_what_a_server_used_before_an_end_that_nobody_told_counts_at_its_next_start(ledger: Ledger):
    door = admission(ledger, Budget(name="students", limits=(Limit(units=3, hard=True),)))
    await door.answer(reserve(), T0)
    await door.answer(confirm(reserve()), T0)
    again = reserve(started=T0 + minutes(75))
    assert (await door.answer(again, T0 + minutes(75))).verdict == "refused"


async def test_two_starts_at_once_never_both_take_the_last_hour(ledger: Ledger):
    # half an hour of two cores is one unit: of ten starts at once, exactly three fit
    door = admission(ledger, Budget(name="students", limits=(Limit(units=3.5, hard=True),)))
    answers = await asyncio.gather(*(door.answer(reserve(server=f"s{i}"), T0) for i in range(10)))
    assert sorted(answer.verdict for answer in answers) == ["admitted"] * 3 + ["refused"] * 7
    assert len(await intervals(ledger)) == 3


async def test_what_runs_holds_what_it_was_promised_and_then_what_it_uses(ledger: Ledger):
    door = admission(ledger, Budget(name="students", limits=(Limit(units=3, hard=True),)))
    start = reserve()
    await door.answer(start, T0)
    await door.answer(confirm(start), T0)
    # one unit promised; after an hour two are used, though nothing was counted meanwhile; after 75 min too few are left
    for after, verdict in ((1, "admitted"), (59, "admitted"), (75, "refused")):
        other = reserve(server=f"at-{after}", started=T0 + minutes(after))
        assert (await door.answer(other, T0 + minutes(after))).verdict == verdict, after
        await door.answer(release(other), T0 + minutes(after))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", ("il reste 0,5 unité sur 10 unités", "1 unité", "mardi 1 décembre 2026, 00:00", "profs@example.fr")),
        ("en", ("0.5 units left of 10 units", "1 unit,", "Tuesday 1 December 2026, 00:00", "profs@example.fr")),
    ],
)
async def test_a_refusal_says_what_is_left_what_was_asked_when_it_resets_and_whom_to_ask(
    ledger: Ledger, language, words
):
    door = admission(ledger, TEN_UNITS)
    start = reserve()
    await door.answer(start, T0)
    await door.answer(confirm(start), T0)
    await door.answer(release(start), T0 + minutes(285))  # 4.75 h of two cores: 9.5 units
    again = reserve(started=T0 + minutes(300)).model_copy(update={"language": language})
    answer = await door.answer(again, T0 + minutes(300))
    assert answer.verdict == "refused"
    assert all(each in answer.message for each in words), answer.message
    assert (answer.refusal.rule, answer.refusal.used, answer.refusal.asked) == ("students", 9.5, 1)
    assert answer.refusal.resets == datetime(2026, 11, 30, 23, tzinfo=UTC)


async def test_next_month_everything_is_there_again(ledger: Ledger):
    door = admission(ledger, TEN_UNITS)
    start = reserve()
    await door.answer(start, T0)
    await door.answer(confirm(start), T0)
    await door.answer(release(start), T0 + minutes(300))
    before, after = datetime(2026, 11, 30, 22, 59, tzinfo=UTC), datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    assert (await door.answer(reserve(started=before), before)).verdict == "refused"
    assert (await door.answer(reserve(started=after), after)).verdict == "admitted"


async def test_a_soft_budget_warns_and_admits(ledger: Ledger):
    door = admission(ledger, Budget(name="soft", limits=(Limit(units=1),)))
    start = reserve()
    assert (await door.answer(start, T0)).message is None
    await door.answer(confirm(start), T0)
    await door.answer(release(start), T0 + minutes(60))
    answer = await door.answer(reserve(started=T0 + minutes(61)), T0 + minutes(61))
    assert answer.verdict == "admitted"
    assert "100\u00a0%" in answer.message


async def test_a_group_and_a_person_are_not_mistaken_for_others_with_a_name_like_theirs(ledger: Ledger):
    door = admission(ledger, TEN_UNITS, Budget(name="g", account="group", limits=(Limit(units=10, hard=True),)))
    start = reserve()
    await door.answer(start, T0)
    await door.answer(confirm(start), T0)
    await door.answer(release(start), T0 + minutes(300))
    later = T0 + minutes(300)
    for username in ("ann", "anna2", "m2"):
        person = Person(username=username, groups=("m",))
        assert (await door.answer(reserve(person, started=later), later)).verdict == "admitted"
    same_group = Person(username="bob", groups=("m2",))
    refused = await door.answer(reserve(same_group, started=later), later)
    assert (refused.verdict, refused.refusal.account, refused.refusal.name) == ("refused", "group", "m2")


async def test_a_server_over_midnight_and_the_change_of_clocks_is_put_on_both_days(ledger: Ledger):
    from sqlalchemy import select

    from jupytercloud_hub.quotas.tables import ByDay

    door = admission(ledger)
    begin = datetime(2026, 10, 24, 21, 0, tzinfo=UTC)  # 23:00 in Paris, the night on which clocks go back
    start = reserve(started=begin)
    await door.answer(start, begin)
    await door.answer(confirm(start), begin)
    await door.answer(release(start), begin + timedelta(hours=27))
    async with ledger.database.session() as session:
        rows = (await session.execute(select(ByDay).where(ByDay.kind == "person").order_by(ByDay.day))).scalars().all()
    assert [(row.day.isoformat(), row.seconds, row.starts) for row in rows] == [
        ("2026-10-24", 3600, 1),
        ("2026-10-25", 25 * 3600, 0),
        ("2026-10-26", 3600, 0),
    ]


async def test_time_never_runs_backwards(ledger: Ledger):
    door, start = admission(ledger), reserve()
    await door.answer(start, T0)
    await door.answer(confirm(start), T0)
    async with ledger.writing() as session:
        interval = await ledger.find(session, start.key)
        await ledger.count(session, [interval], T0 + minutes(20))
        await ledger.count(session, [interval], T0 + minutes(5))
        await ledger.count(session, [interval], T0 - minutes(5))
    await door.answer(release(start, ended=T0 + minutes(3)), T0 + minutes(21))
    [interval] = await intervals(ledger)
    assert (interval.state, interval.ended_s - interval.begin_s) == (CLOSED, 1200)
    assert (await sums(ledger))["seconds"] == 1200


async def test_a_transaction_that_breaks_leaves_neither_time_nor_sums(ledger: Ledger):
    door, start = admission(ledger), reserve()
    await door.answer(start, T0)
    await door.answer(confirm(start), T0)

    async def broken() -> None:
        async with ledger.writing() as session:
            interval = await ledger.find(session, start.key)
            await ledger.count(session, [interval], T0 + minutes(20))
            await session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken()
    [interval] = await intervals(ledger)
    assert (interval.state, interval.counted_s) == (RUNNING, interval.begin_s)
    assert (await sums(ledger))["seconds"] == 0


async def test_another_hubs_or_another_persons_start_is_no_matter_of_this_ledger(ledger: Ledger):
    door = admission(ledger)
    elsewhere = reserve().model_copy(update={"key": key().model_copy(update={"hub": "paris"})})
    mistaken = reserve().model_copy(update={"key": key("bob")})
    for message in (elsewhere, mistaken):
        with pytest.raises(PublicError) as refused:
            await door.answer(message, T0)
        assert refused.value.status == 422
    assert await intervals(ledger) == []
    assert ANNA.username == "anna"


async def test_a_server_whose_confirm_was_lost_is_counted_by_its_release(ledger: Ledger):
    door, start = admission(ledger), reserve()
    await door.answer(start, T0)
    for after in (30, 40):
        await door.answer(release(start, ran=True), T0 + minutes(after))
    assert (await sums(ledger))["seconds"] == 1800
    assert (await sums(ledger))["starts"] == 1

"""Sums computed anew, intervals that are pruned, people who are shown their rows and forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import delete, select, update

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.quotas.admission import Admission
from jupytercloud_hub.quotas.council import OTHERS, council_rows, pseudonym
from jupytercloud_hub.quotas.grants import GrantRequest, give, withdraw
from jupytercloud_hub.quotas.ledger import SUMS, Ledger
from jupytercloud_hub.quotas.rebuild import rebuild
from jupytercloud_hub.quotas.store import erase, export, prune
from jupytercloud_hub.quotas.tables import RUNNING, ByDay, ByMonth, ByProfile
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.settings.quotas import Budget, Limit, QuotasSettings

from .helpers import ANNA, T0, confirm, intervals, minutes, release, reserve, sums
from .test_ledger import SITE, admission

SUM_TABLES = ("quotas_by_day", "quotas_by_month", "quotas_by_profile")


async def ran(ledger: Ledger, person: Person, begin: datetime, length: timedelta, **resources) -> None:
    door, start = admission(ledger), reserve(person, started=begin, **resources)
    await door.answer(start, begin)
    await door.answer(confirm(start), begin)
    await door.answer(release(start), begin + length)


async def all_sums(ledger: Ledger) -> list[tuple]:
    rows = []
    for table in (ByDay, ByMonth, ByProfile):
        async with ledger.database.session() as session:
            columns = [column.key for column in table.__table__.columns]
            found = (await session.scalars(select(table))).all()
            rows += [tuple(getattr(row, name) for name in columns) for row in found]
    return sorted(rows, key=str)


async def test_a_rebuild_finds_nothing_where_nothing_is_wrong(ledger: Ledger):
    for number in range(6):
        begin = datetime(2026, 10, 23, 20, tzinfo=UTC) + timedelta(hours=7 * number)
        person = Person(username=f"user-{number % 2}", groups=("m2",))
        await ran(ledger, person, begin, timedelta(hours=11), gpu=number % 2)
    before = await all_sums(ledger)
    assert [difference async for difference in rebuild(ledger)] == []
    assert await all_sums(ledger) == before


async def test_a_rebuild_says_and_mends_what_differs(ledger: Ledger):
    await ran(ledger, ANNA, T0, minutes(60))
    right = await all_sums(ledger)
    async with ledger.writing() as session:
        await session.execute(update(ByDay).where(ByDay.kind == "person").values(cost=7))
        nothing = dict.fromkeys(SUMS, 0) | {"seconds": 9}
        key = {"hub": "grenoble", "kind": "person", "name": "ghost", "day": date(2026, 11, 20)}
        session.add(ByProfile(**key, profile="lab", gpu_type="", **nothing))
    found = [difference async for difference in rebuild(ledger, write=False)]
    assert {(each.table, each.key[2], *sums) for each in found for sums in each.sums()} == {
        ("quotas_by_day", "anna", "cost", 7, 2_000_000 * 3600),
        ("quotas_by_profile", "ghost", "seconds", 9, 0),
    }
    assert len([difference async for difference in rebuild(ledger)]) == 2
    assert [difference async for difference in rebuild(ledger)] == []
    assert await all_sums(ledger) == right


async def test_a_month_is_the_sum_of_its_days_and_is_said_and_mended_where_it_is_not(ledger: Ledger):
    await ran(ledger, ANNA, T0 - timedelta(days=40), minutes(30))
    await ran(ledger, ANNA, T0, minutes(60))
    right = await all_sums(ledger)
    async with ledger.writing() as session:
        hers = (ByMonth.kind == "person", ByMonth.month == date(2026, 11, 1))
        await session.execute(update(ByMonth).where(*hers).values(seconds=9, starts=0))
        ghost = {"hub": "grenoble", "kind": "hub", "name": "ghost", "month": date(2027, 4, 1), "gpu_type": ""}
        session.add(ByMonth(**ghost, **dict.fromkeys(SUMS, 0) | {"gpu": 4}))
    expected = {
        ("quotas_by_month", "anna", "seconds", 9, 3600),
        ("quotas_by_month", "anna", "starts", 0, 1),
        ("quotas_by_month", "ghost", "gpu", 4, 0),
    }
    for write in (False, True):
        found = [difference async for difference in rebuild(ledger, write=write)]
        assert {(each.table, each.key[2], *sums) for each in found for sums in each.sums()} == expected
    assert [difference async for difference in rebuild(ledger)] == []
    assert await all_sums(ledger) == right


async def test_a_ledger_without_sums_gets_all_of_them_back(ledger: Ledger):
    for number in range(5):
        person = Person(username=f"user-{number % 2}", groups=("m2",))
        await ran(ledger, person, T0 - timedelta(days=17 * number), timedelta(hours=30), gpu=number % 2)
    right = await all_sums(ledger)
    async with ledger.writing() as session:
        for table in (ByDay, ByMonth, ByProfile):
            await session.execute(delete(table))
    found = [difference async for difference in rebuild(ledger)]
    assert {each.table for each in found} == set(SUM_TABLES)
    assert await all_sums(ledger) == right


async def test_what_is_pruned_stays_in_the_sums_and_out_of_a_rebuild(ledger: Ledger):
    await ran(ledger, ANNA, T0 - timedelta(days=400), minutes(60))
    await ran(ledger, ANNA, T0 - timedelta(days=3, hours=12), timedelta(hours=24))
    await ran(ledger, ANNA, T0, minutes(60))
    before = await all_sums(ledger)
    assert await prune(ledger, T0 - timedelta(days=3)) == 1
    assert await prune(ledger, T0 - timedelta(days=3)) == 0
    assert len(await intervals(ledger)) == 2
    assert [difference async for difference in rebuild(ledger)] == []
    assert await all_sums(ledger) == before


async def test_a_person_is_shown_every_row_about_her(ledger: Ledger):
    await ran(ledger, ANNA, T0, minutes(60))
    await ran(ledger, Person(username="bea"), T0, minutes(60))
    async with ledger.database.session() as session:
        found = await export(session, "anna")
    assert [row["user"] for row in found["quotas_interval"]] == ["anna"]
    assert {row["name"] for table in SUM_TABLES for row in found[table]} == {"anna"}


async def test_a_person_is_forgotten_and_totals_stay_also_the_second_time(ledger: Ledger):
    await ran(ledger, ANNA, T0, minutes(60))
    await ran(ledger, Person(username="bea", groups=("m2",)), T0, minutes(30))
    async with ledger.writing() as session:
        ends = T0 + timedelta(days=9)
        request = GrantRequest(account="person", name="anna", amount=3, reason="her thesis", ends=ends)
        await give(session, "grenoble", request, "bea", T0)
    group = await sums(ledger, "group", "m2")
    for _ in range(2):
        async with ledger.writing() as session:
            await erase(session, "anna", "gone-1")
        async with ledger.database.session() as session:
            assert not any((await export(session, "anna")).values())
        assert (await sums(ledger, "person", "gone-1"))["seconds"] == 3600
        assert (await sums(ledger, "group", "m2"))["cost"] == group["cost"]
        assert [difference async for difference in rebuild(ledger)] == []
        await ran(ledger, ANNA, T0 + timedelta(days=1), minutes(0))  # she comes back, and is forgotten again


async def test_what_still_runs_is_counted_once_although_its_owner_was_forgotten(ledger: Ledger):
    door, start = admission(ledger), reserve()
    await door.answer(start, T0)
    await door.answer(confirm(start), T0)
    async with ledger.writing() as session:
        interval = await ledger.find(session, start.key)
        await ledger.count(session, [interval], T0 + minutes(10))
        await erase(session, "anna", "gone-1")
    assert [(each.user, each.state) for each in await intervals(ledger)] == [("anna", RUNNING)]
    await door.answer(release(start), T0 + minutes(20))
    async with ledger.writing() as session:
        await erase(session, "anna", "gone-1")
    assert (await sums(ledger, "person", "gone-1"))["seconds"] == 1200
    assert (await sums(ledger, "hub", "grenoble"))["seconds"] == 1200


async def test_a_grant_counts_from_its_beginning_to_its_end_or_until_it_is_withdrawn(ledger: Ledger):
    budget = Budget(name="students", limits=(Limit(units=1, hard=True), Limit(cpu_hours=1, window=timedelta(days=30))))
    settings = QuotasSettings(budgets=(budget,))
    reader = Reader(ledger, settings)
    door = Admission(ledger, reader, settings, SITE)
    big = {"cpu": 4}  # half an hour is two units
    assert (await door.answer(reserve(**big), T0)).verdict == "refused"
    begins, ends = T0 + minutes(10), T0 + minutes(60)
    request = GrantRequest(account="person", name="anna", amount=2, reason="thesis", begins=begins, ends=ends)
    async with ledger.writing() as session:
        number = (await give(session, "grenoble", request, "prof", T0)).id
    for after, verdict in ((9, "refused"), (10, "admitted"), (59, "admitted"), (60, "refused")):
        moment = T0 + minutes(after)
        start = reserve(started=moment, server=f"s{after}", **big)
        answer = await door.answer(start, moment)
        assert answer.verdict == verdict, after
        await door.answer(release(start), moment)
    async with ledger.writing() as session:
        assert (await withdraw(session, "grenoble", number, T0 + minutes(30))).ends_s == int(
            (T0 + minutes(30)).timestamp()
        )
        assert await withdraw(session, "grenoble", number + 1, T0) is None
    moment = T0 + minutes(31)
    assert (await door.answer(reserve(started=moment, server="late", **big), moment)).verdict == "refused"


async def test_an_export_for_a_council_names_nobody_and_shows_no_small_group(ledger: Ledger):
    for number in range(5):
        groups = ("large", "small") if number < 2 else ("large",)
        await ran(ledger, Person(username=f"user-{number}", groups=groups), T0, minutes(60))
    await ran(ledger, Person(username="lone", groups=("tiny",)), T0 - timedelta(days=30), minutes(60))

    def named(username: str) -> str:
        return pseudonym(b"key", "grenoble", username)

    kinds = ("person", "group", "hub")
    rows = [row async for row in council_rows(ledger, date(2026, 10, 1), date(2026, 12, 1), kinds, 3, named)]
    shown = {(row.month, row.account, row.name): (row.people, row.units) for row in rows}
    people = {key: value for key, value in shown.items() if key[1] == "person"}
    assert len(people) == 6
    assert all(name.startswith("p-") for _, _, name in people)
    assert {key: value for key, value in shown.items() if key[1] != "person"} == {
        ("2026-11", "group", "large"): (5, 10.0),
        ("2026-11", "hub", "grenoble"): (5, 10.0),
    }
    rows = [row async for row in council_rows(ledger, date(2026, 11, 1), date(2026, 12, 1), ("group",), 2, named)]
    assert {row.name: row.people for row in rows} == {"large": 5, "small": 2}
    assert named("user-1") != pseudonym(b"other", "grenoble", "user-1")
    assert OTHERS not in {row.name for row in rows}


async def test_small_groups_are_added_up_where_they_are_enough_together(ledger: Ledger):
    for number in range(4):
        await ran(ledger, Person(username=f"user-{number}", groups=(f"g{number}",)), T0, minutes(60))
    rows = [row async for row in council_rows(ledger, date(2026, 11, 1), date(2026, 12, 1), ("group",), 4, str)]
    assert [(row.name, row.people, row.units, row.starts) for row in rows] == [(OTHERS, 4, 8.0, 4)]

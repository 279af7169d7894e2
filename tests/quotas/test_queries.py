"""What admission reads is found through an index: it costs the same however long the history is."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert

from jupytercloud_hub.quotas.budgets import Account
from jupytercloud_hub.quotas.ledger import AMOUNTS, SUMS, Ledger
from jupytercloud_hub.quotas.pricing import Usage
from jupytercloud_hub.quotas.tables import ByDay, ByMonth
from jupytercloud_hub.quotas.usage import Reader, used
from jupytercloud_hub.quotas.windows import DAY, month_of
from jupytercloud_hub.settings.quotas import Budget, Limit, QuotasSettings

from .helpers import T0

KINDS = ("person", "group", "organization", "hub")
LIMITS = (
    Limit(units=9),
    Limit(gpu_hours=9, window="academic-year"),
    Limit(cpu_hours=9, window=timedelta(days=100)),
    Limit(units=9, window=timedelta(days=366)),
)
SETTINGS = QuotasSettings(budgets=tuple(Budget(name=kind, account=kind, limits=LIMITS) for kind in KINDS))


# PostgreSQL plans by the tables' statistics, of which an empty one has none
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_three_questions_for_all_budgets_each_through_an_index_down_to_the_name(ledger: Ledger):
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(ledger.database.engine.sync_engine, "before_cursor_execute", note)
    async with ledger.database.session() as session:
        accounts = [Account(kind, "x") for kind in KINDS]
        await Reader(ledger, SETTINGS).standings(session, accounts, None, T0)
        questions = list(asked)
        assert len(questions) == 3
        connection = await session.connection()
        for statement, parameters in questions:
            plan = [
                row[3]
                for row in (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
            ]
            assert not [step for step in plan if step.startswith("SCAN quotas_")], plan
            searches = [step for step in plan if step.startswith("SEARCH") and "rowid" not in step]
            assert searches
            assert all("name=?" in step for step in searches), plan
            of_sums = [step for step in searches if "quotas_by_" in step]
            assert all("day>? AND day<?" in step or "month>? AND month<?" in step for step in of_sums), plan


async def test_windows_read_from_months_and_days_are_the_sums_of_their_days(ledger: Ledger):
    chance = random.Random(6)
    first = date(2027, 9, 1)
    days: dict[tuple[str, str, date], dict[str, int]] = {}
    months: dict[tuple[str, str, date], dict[str, int]] = {}
    for number in range(800):  # over a leap day
        day = first + number * DAY
        for name, gpu_type in (("anna", ""), ("anna", "a100"), ("bea", "")):
            sums = {column: chance.randrange(1000) for column in SUMS}
            days[name, gpu_type, day] = sums
            month = months.setdefault((name, gpu_type, month_of(day)), dict.fromkeys(SUMS, 0))
            for column in SUMS:
                month[column] += sums[column]
    common = {"hub": "grenoble", "kind": "person"}
    async with ledger.writing() as session:
        for table, column, rows in ((ByDay, "day", days), (ByMonth, "month", months)):
            values = [
                {**common, "name": name, "gpu_type": gpu_type, column: begin, **sums}
                for (name, gpu_type, begin), sums in rows.items()
            ]
            await session.execute(insert(table), values)
    accounts = [Account("person", "anna"), Account("person", "bea"), Account("hub", "grenoble")]
    for _ in range(20):
        windows = []
        for _ in range(chance.randrange(1, 4)):
            begin = first + chance.randrange(-40, 790) * DAY
            windows.append((begin, begin + chance.randrange(1, 400) * DAY))
        async with ledger.database.reading() as session:
            found = await used(session, "grenoble", accounts, windows)
        for name, gpu_type in (("anna", ""), ("anna", "a100"), ("bea", "")):
            usages = found.get((Account("person", name), gpu_type), [Usage()] * len(windows))
            for (begin, end), usage in zip(windows, usages, strict=True):
                rows = [sums for (*who, day), sums in days.items() if who == [name, gpu_type] and begin <= day < end]
                assert usage == Usage(**{column: sum(row[column] for row in rows) for column in AMOUNTS})

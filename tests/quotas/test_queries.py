"""What admission reads is found through an index: it costs the same however long the history is."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from jupytercloud_hub.quotas.budgets import Account
from jupytercloud_hub.quotas.ledger import Ledger
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.settings.quotas import Budget, Limit, QuotasSettings

from .helpers import T0

KINDS = ("person", "group", "organization", "hub")
LIMITS = (Limit(units=9), Limit(gpu_hours=9, window="academic-year"))
SETTINGS = QuotasSettings(budgets=tuple(Budget(name=kind, account=kind, limits=LIMITS) for kind in KINDS))


async def test_three_questions_for_all_budgets_each_through_an_index_down_to_the_name(ledger: Ledger):
    if not ledger.database.is_sqlite:
        pytest.skip("PostgreSQL plans by the tables' statistics, of which an empty one has none")
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
            assert not [step for step in plan if step.startswith("SCAN")], plan
            searches = [step for step in plan if step.startswith("SEARCH") and "rowid" not in step]
            assert searches
            assert all("name=?" in step for step in searches), plan

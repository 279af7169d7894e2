"""A ledger on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jupytercloud_hub.quotas.ledger import Ledger, Prices
from jupytercloud_hub.settings.quotas import Tariff
from jupytercloud_hub.storage import Database

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"sqlite:///{tmp_path / 'quotas.sqlite'}"


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    database = Database(database_url, "quotas")
    await database.upgrade()
    yield Ledger(database, "grenoble", Prices((Tariff(cpu=1, memory=0, gpu=10),), PARIS))
    await database.close()

"""What the keeper says and keeps, on real tables and folders, without a hub."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.culling.rules import Maintenance
from jupytercloud_hub.culling.store import Store as CullingStore
from jupytercloud_hub.events.engine import SeatEngine
from jupytercloud_hub.events.files import SeatFiles
from jupytercloud_hub.events.hours import Door
from jupytercloud_hub.events.keeper import Keeper
from jupytercloud_hub.events.purge import Purge
from jupytercloud_hub.events.service import EventsService
from jupytercloud_hub.events.store import Store
from jupytercloud_hub.hubapi import HubApi
from jupytercloud_hub.settings import Settings, load
from jupytercloud_hub.spawners.base import slug
from jupytercloud_hub.spawners.local_sweep import VARIABLE
from jupytercloud_hub.storage import Database
from jupytercloud_hub.web.context import ServiceContext
from tests.culling.fakes import opened

from .conftest import INSIDE, OPENS, make_event

CLOSES = OPENS + timedelta(hours=9)


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(make_event(tmp_path) / "jupytercloud.yaml")


@pytest.fixture
async def keeper(settings: Settings) -> AsyncIterator[Keeper]:
    own = Database(settings.database_url("events"), "events")
    await own.upgrade()
    culling = await opened(settings.database_url("culling"))
    assert settings.event
    api: Any = None
    files = SeatFiles(settings)
    made = Keeper(settings.event, "salon", settings.site.zone, api, Store(own), files, CullingStore(culling), Clock(INSIDE), SeatEngine(settings))  # fmt: skip # noqa: E501
    yield made
    await own.close()
    await culling.close()


async def told(keeper: Keeper, at: datetime) -> Maintenance | None:
    assert isinstance(keeper.now, Clock)
    assert keeper.culling
    keeper.now.at = at
    await keeper._tell(await keeper.standing(), at)
    return await keeper.culling.maintenance()


async def test_visitors_are_told_ten_minutes_before_the_end_of_each_day_and_not_the_next_morning(
    keeper: Keeper,
) -> None:
    assert await told(keeper, CLOSES - timedelta(minutes=11)) is None
    announced = await told(keeper, CLOSES - timedelta(minutes=10))
    assert announced is not None
    assert announced.at == CLOSES
    assert "Nous fermons" in announced.message.in_("fr")
    assert await told(keeper, CLOSES + timedelta(minutes=1)) == announced, "the culler stops what still runs"
    assert await told(keeper, CLOSES + timedelta(hours=15)) is None


async def test_who_stays_open_longer_takes_the_announcement_back_and_makes_it_anew(keeper: Keeper) -> None:
    assert await told(keeper, CLOSES - timedelta(minutes=5)) is not None
    await keeper.store.set_state("until", (CLOSES + timedelta(minutes=30)).isoformat())
    assert await told(keeper, CLOSES - timedelta(minutes=4)) is None
    announced = await told(keeper, CLOSES + timedelta(minutes=21))
    assert announced is not None
    assert announced.at == CLOSES + timedelta(minutes=30)


async def test_the_operators_own_maintenance_is_left_alone(keeper: Keeper) -> None:
    assert keeper.culling
    own = Maintenance(INSIDE + timedelta(hours=1), Localized("Coupure"))
    await keeper.culling.set_maintenance(own)
    assert await told(keeper, INSIDE) == own


async def test_work_is_packed_without_what_is_hidden_or_leads_out_of_the_home(settings: Settings) -> None:
    files = SeatFiles(settings)
    home = files.home("seat-0001")
    assert home
    (home / ".ipynb_checkpoints").mkdir(parents=True)
    (home / ".ipynb_checkpoints" / "a.ipynb").write_text("old")
    (home / "sub").mkdir()
    (home / "sub" / "b.ipynb").write_text("mine")
    (settings.folder / "elsewhere").mkdir()
    (settings.folder / "elsewhere" / "secret").write_text("not mine")
    (home / "link").symlink_to(settings.folder / "elsewhere")
    (home / "key").symlink_to(settings.folder / "code.key")
    packed = files.pack("seat-0001")
    assert packed is not None
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == ["sub/b.ipynb"]
    files.remove("seat-0001")
    assert files.count("seat-0001") == 0
    assert (settings.folder / "elsewhere" / "secret").exists(), "a link is removed, not what it leads to"
    assert (settings.folder / "code.key").exists()


async def test_seats_start_also_where_service_and_command_make_their_accounts_at_the_same_time(keeper: Keeper) -> None:
    asked: list[str] = []

    def hub(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/")
        asked.append(f"{request.method} {path}")
        if request.method == "GET":
            return httpx.Response(200, json={"items": [], "_pagination": {"next": None}})
        # As JupyterHub answers who comes second.
        return (
            httpx.Response(409, json={"message": "All 2 users already exist"})
            if path == "users"
            else httpx.Response(201)
        )

    await keeper.store.import_seats(["seat-0001", "seat-0002"])
    async with HubApi("http://hub/api", "token", transport=httpx.MockTransport(hub)) as keeper.api:
        await keeper.run(warm=2)
    assert asked == ["GET users", "POST users", "POST users/seat-0001/server", "POST users/seat-0002/server"]


def test_a_clock_that_jumps_ahead_purges_nothing(settings: Settings) -> None:
    clock = Clock(INSIDE)
    context = ServiceContext(
        "events", "/salon/services/events/", ("127.0.0.1", 0), "http://127.0.0.1/", "", "/salon/", b""
    )
    service = EventsService(settings, context, clock)
    clock.at = INSIDE + timedelta(days=400)
    assert not service.time_to_purge()
    late = EventsService(settings, context, clock)
    assert late.time_to_purge(), "a service that starts when the links have expired purges"


async def test_servers_of_another_hub_of_the_same_name_are_not_this_events(settings: Settings, tmp_path: Path) -> None:
    account = slug("seat-0001")
    mine = SeatFiles(settings).home("seat-0001")
    assert mine
    other = tmp_path / "another" / "homes" / account
    environ = {**os.environ, VARIABLE: f"salon/{account}//lab"}
    for home in (mine, other):
        home.mkdir(parents=True)
    running = [subprocess.Popen(["sleep", "600"], cwd=home, env=environ) for home in (mine, other)]
    try:
        assert await SeatEngine(settings).servers() == {account: [str(running[0].pid)]}
    finally:
        for process in running:
            process.kill()
            process.wait()


async def test_a_message_to_all_is_given_to_the_culler_and_taken_back(keeper: Keeper) -> None:
    assert keeper.culling
    for message in ("Goûter à 16 h", "Goûter à 17 h", None):
        await keeper.store.set_state("message", message)
        await keeper._pass_on()
        assert await keeper.culling.message() == message


async def test_a_purge_of_an_open_event_closes_it_first(keeper: Keeper, settings: Settings) -> None:
    assert (await keeper.standing()).door is Door.OPEN
    await Purge(settings, keeper, keeper.store, keeper.now)._close()
    assert (await keeper.standing()).door is Door.OVER, "the service starts no seat behind it"

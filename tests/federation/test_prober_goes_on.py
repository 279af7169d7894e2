"""The prober goes on whatever goes wrong in one look: a site that nobody looks at would keep its state for good."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from jupytercloud_hub.federation.board import Board
from jupytercloud_hub.federation.health import Health, ProbeResult
from jupytercloud_hub.federation.model import SiteState
from jupytercloud_hub.federation.probes import Prober, probe
from jupytercloud_hub.settings.federation import FederationSettings, FederationSite, HealthSettings
from jupytercloud_hub.web.service import utc_now

REIMS = FederationSite(name="reims", url="https://reims.example.fr/")
HEALTH = HealthSettings(interval="0.1 s", second_look="0.01 s")


class Once:
    """What goes wrong the first time and never again."""

    def __init__(self, error: Exception) -> None:
        self.errors = [error]

    def __call__(self) -> None:
        while self.errors:
            raise self.errors.pop()


def well(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"X-JupyterHub-Version": "5.5.0"})


@pytest.mark.parametrize("where", ["client", "noting"])
async def test_a_site_is_probed_again_after_a_look_that_failed_in_the_portal_itself(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    once = Once(OSError(24, "Too many open files"))
    board = Board(FederationSettings(sites=[REIMS], health=HEALTH), utc_now)

    def make_client(site: FederationSite) -> httpx.AsyncClient:
        if where == "client":
            once()
        return httpx.AsyncClient(base_url=site.url, transport=httpx.MockTransport(well))

    def noted(name: str, result: ProbeResult, health: Health) -> None:
        if where == "noting":
            once()

    prober = Prober(board, HEALTH, make_client=make_client, on_probe=noted)
    prober.follow()
    try:
        async with asyncio.timeout(30):
            while board.known["reims"].shown.state is not SiteState.UP:
                await asyncio.sleep(0.01)
    finally:
        await prober.stop()
    assert once.errors == []
    assert "the probe of site 'reims' failed" in caplog.text


async def test_a_probe_raises_nothing_even_where_a_thread_cant_be_had() -> None:
    def no_thread(request: httpx.Request) -> httpx.Response:
        raise RuntimeError("can't start new thread")

    async with httpx.AsyncClient(base_url=REIMS.url, transport=httpx.MockTransport(no_thread)) as connection:
        result = await probe(connection, HEALTH)
    assert not result.good
    assert str(result.reason) == "It can't be reached (RuntimeError)."

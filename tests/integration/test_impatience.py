"""Requests that run out of time leave no place taken: the next one, with enough of it, is answered.

What is under the clients (httpcore) keeps the place of a request that was cancelled at the wrong moment; with a bound
of its own it would in the end answer nobody.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from jupytercloud_hub.auth.oidc import http as provider
from jupytercloud_hub.federation.probes import client, probe
from jupytercloud_hub.hubapi import HubApi
from jupytercloud_hub.settings.federation import FederationSite, HealthSettings
from jupytercloud_hub.spawners import http as spawners

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-JupyterHub-Version: 5.4.0\r\nContent-Length: 2\r\n\r\n{}"
)
IMPATIENT = 1500
Ask = Callable[[], Awaitable[object]]


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    finally:
        listening.close()


def of_the_hubs_api(url: str) -> Ask:
    api = HubApi(url, "token", concurrency=1)
    return lambda: api.get("")


def of_the_provider(url: str) -> Ask:
    connections = provider.ProviderClient()
    return lambda: connections.json("userinfo", "GET", url)


def of_the_spawners(url: str) -> Ask:
    async def ask() -> None:
        known = await spawners.asked(url)
        async with known.slots:
            await known.client.get(url)

    return ask


def of_a_probe(url: str) -> Ask:
    async def ask() -> None:
        async with client(FederationSite(name="reims", url=url)) as connection:
            assert (await probe(connection, HealthSettings(timeout="20 s"))).good

    return ask


@pytest.mark.parametrize("kind", [of_the_hubs_api, of_the_provider, of_the_spawners, of_a_probe])
async def test_after_many_that_ran_out_of_time_one_with_enough_is_answered(
    kind: Callable[[str], Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "AT_ONCE", 1)
    monkeypatch.setattr(spawners, "AT_ONCE", 1)
    chance, ran_out = random.Random(1), 0
    async with server() as url:
        ask = kind(url)
        for _ in range(IMPATIENT):
            try:
                async with asyncio.timeout(chance.random() * 0.004):
                    await ask()
            except (TimeoutError, AssertionError, provider.ProviderUnavailable):
                ran_out += 1
        assert ran_out > 10
        async with asyncio.timeout(20):
            await ask()

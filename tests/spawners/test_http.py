"""The hub's loop goes on while a client is made, and one server's connections are not another's."""

from __future__ import annotations

import asyncio
import time

import pytest

from jupytercloud_hub.spawners import http
from jupytercloud_hub.spawners.http import asked


async def test_one_client_serves_a_server_and_another_server_gets_its_own() -> None:
    first = await asked("https://sts.example.org/a")
    assert await asked("https://sts.example.org/b?c") is first
    assert await asked("https://other.example.org/a") is not first


async def test_two_who_ask_at_once_get_the_same_client() -> None:
    one, two = await asyncio.gather(asked("http://127.0.0.1:9/"), asked("http://127.0.0.1:9/"))
    assert one is two


async def test_the_loop_goes_on_while_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made, turns = http._client, 0

    def slowly(**kind: bool) -> object:
        time.sleep(0.5)
        return made(**kind)

    monkeypatch.setattr(http, "_client", slowly)
    asking = asyncio.create_task(asked("https://slow.example.org"))
    while not asking.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5


async def test_only_what_leaves_this_machine_looks_at_the_environments_proxies() -> None:
    assert not (await asked("http://127.0.0.1:1")).client.trust_env
    assert (await asked("https://sts.example.org")).client.trust_env

"""A hub that is killed and comes back: what nobody recorded meanwhile stops nobody."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from .hub import Hub, until

CULLING = {
    "rules": [{"name": "short", "idle": "12 s", "warn": "5 s"}],
    "every": "1 s",
    "settle": "8 s",
}


@pytest.mark.timeout(400)
async def test_after_a_kill_of_the_hub_who_worked_meanwhile_is_spared_and_who_did_not_is_stopped(
    tmp_path: Path,
) -> None:
    async with Hub(tmp_path, CULLING) as hub:
        for user in ("anna", "bob"):
            await hub.spawn(user)

        async def warned() -> bool:
            views = [await hub.view(user) for user in ("anna", "bob")]
            return all(view.get("warned") for view in views)

        await until(warned, 30)
        assert hub.process is not None
        hub.end(signal.SIGKILL)
        await asyncio.sleep(10)  # longer than the culler takes for a hole in the record
        await hub.up()
        actions = {(await hub.view(user))["action"] for user in ("anna", "bob")}
        assert actions <= {"hold", "wait", "warn"}, actions
        assert (await hub.running("anna"), await hub.running("bob")) == ([""], [""])

        async def reports() -> bool:
            """Anna's server tells the hub of her work, as servers do every few minutes."""
            try:
                await hub.active("anna")
            except (AssertionError, httpx.TransportError):
                return False
            return await hub.running("bob") == []

        await until(reports, 40)
        assert await hub.running("anna") == [""]

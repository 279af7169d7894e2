"""Somebody presses "start" while the provider takes its time: she meets the page that shows a start, never an error."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from tests.integration.test_login_profiles import BENOIT, IdleProfiles
from tests.integration.test_login_renater import TRAITS
from tests.support.login import Browser, hub_and_provider

FROZEN_SECONDS = 2.5
"""More than the second after which JupyterHub answers whoever starts a server."""


class LateProfiles(IdleProfiles):
    """A server that takes its time, so that what a second press meets is a start under way."""

    async def start(self) -> Any:
        await asyncio.sleep(3)
        return await super().start()


def provider_processes() -> list[psutil.Process]:
    return [each for each in psutil.Process().children(recursive=True) if "node" in each.name()]


async def test_two_presses_while_the_provider_is_slow_are_one_start_and_both_meet_its_page(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        hub.users.settings["spawner_class"] = LateProfiles
        page = await browser.log_in("benoit", "univ-grenoble.example", address="spawn")
        user = hub.users[BENOIT]
        form = {"profile": "open", "_xsrf": browser.http.cookies.get("_xsrf", path=hub.hub.base_url) or ""}

        async def press() -> httpx.Response:
            return await browser.http.post(str(page.url), data=form)

        frozen = provider_processes()
        assert frozen
        try:
            for process in frozen:
                process.send_signal(signal.SIGSTOP)
            presses = [asyncio.create_task(press()), asyncio.create_task(press())]
            await asyncio.sleep(FROZEN_SECONDS)
            assert not user.spawner.pending, "the provider was not asked yet"
        finally:
            for process in frozen:
                process.send_signal(signal.SIGCONT)
        for answer in await asyncio.gather(*presses):
            assert answer.status_code == 302, answer.text[:300]
            pending = await browser.get(answer.headers["location"])
            assert pending.status_code == 200
            assert "/progress" in pending.text, "the page shows a start, not that nothing runs"
        assert user.spawner.pending == "spawn"

        third = await press()
        assert third.status_code == 302, "who presses once more is led to the same page"
        assert "/spawn-pending/" in urlsplit(third.headers["location"]).path

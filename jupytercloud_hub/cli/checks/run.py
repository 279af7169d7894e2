"""All areas at once, each bounded in time: a part that hangs holds up no other and hides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...settings import Settings
from ..common import language
from . import certificates, database, disk, hub, orphans, portal, provider, secrets, spawn, spawner
from .look import Look, find_token, looking

SECONDS = 8.0
"""Longest time for an area; the whole stays under ten seconds."""

AREAS: dict[str, Callable[[Look], Awaitable[list[Finding]]]] = {
    "settings": secrets.look,
    "hub": hub.look_at_hub,
    "proxy": hub.look_at_proxy,
    "services": hub.look_at_services,
    "database": database.look,
    "disk": disk.look,
    "certificates": certificates.look,
    "provider": provider.look,
    "portal": portal.look,
    "spawner": spawner.look,
    "orphans": orphans.look,
}
PARTS = ("auth", "spawners", "federation", "culling", "quotas")
"""Parts that may look at more, in a module ``checks`` with ``async def checks(settings) -> list[Finding]``."""


async def look_at_all(settings: Settings, token_file: Path | None = None, profile: str | None = None) -> list[Finding]:
    """Return every finding, area by area; with a ``profile`` (empty: the default one) a server is started too."""
    token, no_token = find_token(settings, token_file)
    async with looking(settings, token, no_token, language()) as at:
        rows = await asyncio.gather(
            *(_bounded(area, look(at)) for area, look in AREAS.items()),
            *(_bounded(*one) for one in _of_parts(settings)),
        )
        if profile is not None:
            rows.append(await spawn.look(at, profile))
    return [finding for row in rows for finding in row]


def _of_parts(settings: Settings) -> list[tuple[str, Awaitable[list[Finding]]]]:
    found = []
    for part in PARTS:
        name = f"jupytercloud_hub.{part}.checks"
        if find_spec(name):
            found.append((part, import_module(name).checks(settings)))
    return found


async def _bounded(area: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await asyncio.wait_for(look, SECONDS)
    except TimeoutError:
        what = Text("this look took longer than {seconds} s and was given up", seconds=f"{SECONDS:g}")
        return [Finding(area, "error", what, Text("Something hangs: look at the network and at the other findings."))]
    except Exception as error:
        what = Text("this look failed itself: {error}", error=f"{type(error).__name__}: {error}")
        return [Finding(area, "error", what, Text("Please report this line: it is a defect of jupytercloud check."))]

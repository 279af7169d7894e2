"""The servers of one hub on this machine, for ``jupytercloud servers``: found by their environment (Linux)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ..contracts.text import Text
from .base import slug
from .sweep import Held

VARIABLE = "JUPYTERCLOUD_SERVER"
"""``<hub>/<user>/<server>/<profile>``, slugs, in the environment of each local server."""
END_SECONDS = 10


class LocalEngine:
    """This machine, as far as the account that asks may look at processes."""

    def __init__(self, site: str) -> None:
        self._hub = slug(site or "hub")

    async def held(self) -> Sequence[Held]:
        """Return the servers of this hub: the first process of each, not the kernels that it started."""
        marked = {pid: mark for pid in _processes() if (mark := _mark(pid)) and mark[0] == self._hub}
        return [_held(pid, mark) for pid, mark in marked.items() if marked.get(_parent(pid)) != mark]

    async def remove(self, name: str) -> None:
        """End a server: asked to first, which lets it end its kernels; what of it is left is killed."""
        pid = int(name)
        mark = _mark(pid)
        if not mark or mark[0] != self._hub:
            return  # gone, or the number is another process's by now
        family = _family(pid, mark)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = asyncio.get_running_loop().time() + END_SECONDS
        while _mark(pid) == mark and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.1)
        for one in family:
            if _mark(one) == mark:
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)


def _family(pid: int, mark: tuple[str, ...]) -> list[int]:
    """Return a server's process and those that it started, as long as they have its environment."""
    parents = {one: _parent(one) for one in _processes() if _mark(one) == mark}
    family = [pid]
    for one in family:  # grows while it is walked
        family += [child for child, parent in parents.items() if parent == one]
    return family


def _processes() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _mark(pid: int) -> tuple[str, ...] | None:
    """Return hub, user, server and profile of a process, None for one that is no server's or not ours to look at."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = f"{VARIABLE}=".encode()
    for entry in environment:
        if entry.startswith(prefix):
            parts = tuple(entry[len(prefix) :].decode("utf-8", errors="replace").split("/"))
            return parts if len(parts) == 4 else None
    return None


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])  # proc(5), field 4
    except (OSError, ValueError):
        return 0


def _held(pid: int, mark: tuple[str, ...]) -> Held:
    try:
        made = Path(f"/proc/{pid}").stat().st_ctime
    except OSError:
        made = datetime.now(UTC).timestamp()
    _, user, server, profile = mark
    return Held(str(pid), user, server, profile, datetime.fromtimestamp(made, UTC), Text("The server is running."))

"""One list of tasks for everybody who asks how a server is: polls and waiting starts share it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from .swarm_tasks import newest

SERVICE_LABEL = "jupytercloud.hub/service"
"""Label with the service's name, on tasks."""

Tasks = Mapping[str, Mapping[str, Any]]


class Board:
    """The tasks of one hub's servers, by the name of their service.

    Promises: who asks gets a list that was asked of the engine at most ``max_age`` seconds before; any number of
    people who ask within that time cost one call; a call that failed is told to all who waited for it, and the next
    one asks anew.
    """

    def __init__(self, list_tasks: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]) -> None:
        self._list = list_tasks
        self._began = float("-inf")
        self._fetch: asyncio.Task[Tasks] | None = None
        self.calls = 0

    async def tasks(self, max_age: float) -> Tasks:
        """Return the tasks as they were at most ``max_age`` seconds ago."""
        now = asyncio.get_running_loop().time()
        fetch = self._fetch
        failed = fetch is not None and fetch.done() and (fetch.cancelled() or fetch.exception() is not None)
        if fetch is None or failed or now - self._began > max_age:
            self._began = now
            fetch = self._fetch = asyncio.create_task(self._all())
        return await asyncio.shield(fetch)

    async def _all(self) -> Tasks:
        self.calls += 1
        by_name: dict[str, list[Mapping[str, Any]]] = {}
        for task in await self._list():
            labels = ((task.get("Spec") or {}).get("ContainerSpec") or {}).get("Labels") or {}
            if SERVICE_LABEL in labels:
                by_name.setdefault(labels[SERVICE_LABEL], []).append(task)
        return {name: found for name, tasks in by_name.items() if (found := newest(tasks)) is not None}

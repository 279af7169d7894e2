"""The services of one hub at a Swarm, for ``jupytercloud servers``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import docker
from docker.errors import NotFound

from ..contracts.text import Text
from .base import slug
from .swarm_board import SERVICE_LABEL
from .swarm_tasks import judge, newest
from .sweep import Held

LABEL = "jupytercloud.hub"


class SwarmEngine:
    """A Swarm, through the manager that ``DOCKER_HOST`` names."""

    def __init__(self, site: str, client: Any = None) -> None:
        self._filter = {"label": f"{LABEL}/hub={slug(site)}"}
        self._client = client or docker.APIClient(base_url=os.environ.get("DOCKER_HOST"), version="auto", timeout=30)

    async def held(self) -> Sequence[Held]:
        """Return the services of this hub with the state of their newest task."""
        services = await asyncio.to_thread(self._client.services, filters=self._filter)
        tasks: dict[str, list[Any]] = {}
        for task in await asyncio.to_thread(self._client.tasks, filters=self._filter):
            tasks.setdefault(task["ServiceID"], []).append(task)
        return [_held(service, newest(tasks.get(service["ID"], []))) for service in services]

    async def remove(self, name: str) -> None:
        """Remove a service."""
        try:
            await asyncio.to_thread(self._client.remove_service, name)
        except NotFound:
            return


def _held(service: dict[str, Any], task: Any) -> Held:
    labels = service["Spec"]["Labels"]
    return Held(
        name=labels.get(SERVICE_LABEL) or service["Spec"]["Name"],
        user=labels.get(f"{LABEL}/user", ""),
        server=labels.get(f"{LABEL}/server", ""),
        profile=labels.get(f"{LABEL}/profile", ""),
        made=datetime.fromisoformat(service["CreatedAt"]),
        state=judge(task).text if task else Text("It has no task."),
    )

"""Images on the machines of a Swarm: a global service for each, whose tasks end as soon as the image is there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

import docker
from docker.errors import NotFound
from docker.types import ContainerSpec, Placement, RestartPolicy, ServiceMode, TaskTemplate

from ..profiles.images import NamedImage, Place
from ..settings.spawner import SpawnerSettings
from .base import slug
from .prepull import IMAGE_LABEL, LABEL, OnNode, State, name_of

COMMAND = ("/bin/sh", "-c", ":")
_AFTER_THE_PULL = frozenset({"ready", "starting", "running", "complete", "failed", "shutdown"})
_WITHOUT_SHELL = ("executable file not found", "no such file or directory")


class SwarmPuller:
    """A Swarm, through the manager that ``DOCKER_HOST`` names."""

    def __init__(self, site: str, spawner: SpawnerSettings, client: Any = None) -> None:
        self._site, self._spawner = site, spawner
        self._label = slug(site or "hub")
        self._client = client or docker.APIClient(base_url=os.environ.get("DOCKER_HOST"), version="auto", timeout=60)

    async def pull(self, images: Sequence[NamedImage]) -> None:
        """Make the services anew: whoever has an image already asks its registry only whether the tag has moved."""
        await self.remove()
        await asyncio.gather(*(asyncio.to_thread(self._create, image) for image in images))

    async def look(self) -> Sequence[OnNode]:
        """Return how far each machine is; tasks of machines that were lost are left out."""
        return await asyncio.to_thread(self._look)

    async def remove(self) -> int:
        """Remove the services."""
        services = await asyncio.to_thread(self._services)
        await asyncio.gather(*(asyncio.to_thread(self._remove, service["ID"]) for service in services))
        return len(services)

    def _services(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.services(filters={"label": f"{LABEL}={self._label}"})
        return found

    def _remove(self, service: str) -> None:
        try:
            self._client.remove_service(service)
        except NotFound:
            return

    def _create(self, named: NamedImage) -> None:
        # the tag's own credentials are the hub's (docker login); create_service sends them to the machines
        labels = {LABEL: self._label, IMAGE_LABEL: named.image}
        container = ContainerSpec(named.image, command=list(COMMAND), labels=labels)
        self._client.create_service(
            TaskTemplate(
                container,
                restart_policy=RestartPolicy(condition="none"),
                placement=Placement(constraints=self.constraints(named.place) or None),
            ),
            name=name_of(self._site, named.image),
            labels=labels,
            mode=ServiceMode("global"),
        )

    def constraints(self, place: Place) -> list[str]:
        """Return the placement constraints of a place: there only are its servers started."""
        node_class = self._spawner.node_classes.get(place.node_class or "")
        gpu = self._spawner.gpus.get(place.gpu_type or "")
        return [*(node_class.swarm if node_class else ()), *(gpu.swarm.constraints if gpu else ())]

    def _look(self) -> list[OnNode]:
        nodes = {
            node["ID"]: node["Description"]["Hostname"]
            for node in self._client.nodes()
            if node["Status"]["State"] == "ready"
        }
        images = {service["ID"]: service["Spec"]["Labels"][IMAGE_LABEL] for service in self._services()}
        latest: dict[tuple[str, str], Mapping[str, Any]] = {}
        for task in self._client.tasks(filters={"label": f"{LABEL}={self._label}"}):
            if task["ServiceID"] in images and task.get("NodeID") in nodes:
                key = (images[task["ServiceID"]], nodes[task["NodeID"]])
                if key not in latest or task["CreatedAt"] > latest[key]["CreatedAt"]:
                    latest[key] = task
        return sorted((on_node(*key, task) for key, task in latest.items()), key=lambda one: (one.image, one.node))


def on_node(image: str, node: str, task: Mapping[str, Any]) -> OnNode:
    """Return what a task of Docker's API says of its image: it is fetched while the task is ``preparing``."""
    status = task.get("Status") or {}
    reached, said = str(status.get("State") or "").lower(), str(status.get("Err") or "")
    state: State = "fetching"
    if reached in _AFTER_THE_PULL or (reached == "rejected" and any(words in said for words in _WITHOUT_SHELL)):
        state = "there"
    elif reached == "rejected":
        state = "failed"
    return OnNode(image, node, state, said if state == "failed" else "")

"""What an event's seats have at their engine: servers, and homes that are volumes or claims. For the purge alone."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..contracts.text import Text
from ..settings import Settings
from ..spawners.base import slug
from ..spawners.homes_kept import HomeError
from ..spawners.sweep import Engine
from .files import SeatFiles

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
REMOVE_SECONDS = 300.0
"""How long a home that an ended server's container or pod still holds is asked for again.

A kubelet may take more than a minute to let a pod go, and a claim that is deleted stays until then.
"""
Homes = dict[str, list[str]]
"""Slug of an account → its volumes or claims."""


class SeatEngine:
    """The engine of one event, through the account that the hub itself has there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        spawner = settings.spawner
        self.backend = spawner.backend if spawner else "local"
        self.volumes = spawner is not None and (
            (self.backend == "swarm" and spawner.swarm is not None and spawner.swarm.home.type == "volume")
            or (self.backend == "kubernetes" and not spawner.kubernetes.home.claim)
        )
        """Whether homes are things of the engine and not folders."""

    async def servers(self) -> dict[str, list[str]]:
        """Return slug of an account → what the engine holds of its server, whatever the hub knows."""
        found: dict[str, list[str]] = {}
        for held in await self._engine().held():
            if self.backend != "local" or self._stands_here(held.name, held.user):
                found.setdefault(held.user, []).append(held.name)
        return found

    def _stands_here(self, pid: str, whose: str) -> bool:
        """Say whether a process is in a home of this very hub: another on this machine may have its name."""
        pattern = SeatFiles(self._settings).homes
        try:
            place = Path(f"/proc/{pid}/cwd").readlink()
        except OSError:  # gone by now
            return False
        return pattern is not None and place.is_relative_to(Path(pattern.format(user=whose)).resolve())

    async def remove_server(self, name: str) -> None:
        """Remove what the engine holds of a server; what is gone already is no error."""
        await self._engine().remove(name)

    async def homes(self) -> Homes:
        """Return the homes that the engine keeps for this hub; none where homes are folders."""
        if not self.volumes:
            return {}
        return await (self._claims() if self.backend == "kubernetes" else asyncio.to_thread(self._volumes))

    async def remove_homes(self, account: str, seconds: float = REMOVE_SECONDS) -> None:
        """Remove an account's volumes or claims, and wait until they are gone. Raises `HomeError`."""
        loop = asyncio.get_running_loop()
        end, whose, pause = loop.time() + seconds, slug(account), 0
        while names := (await self.homes()).get(whose, []):
            held = HomeError(Text("{name} is being deleted, and is still there", name=names[0]))
            try:
                for name in names:
                    await self._remove_home(name)
            except HomeError as error:
                held = error
            if loop.time() > end:
                raise held
            await asyncio.sleep(pause)
            pause = 1

    def _engine(self) -> Engine:
        site = self._settings.site.name
        if self.backend == "swarm":
            from ..spawners.swarm_sweep import SwarmEngine

            return SwarmEngine(site)
        if self.backend == "kubernetes":
            from ..spawners.kubernetes_sweep import KubernetesEngine

            return KubernetesEngine(site, self._namespace())
        from ..spawners.local_sweep import LocalEngine

        return LocalEngine(site)

    def _namespace(self) -> str:
        spawner = self._settings.spawner
        named = spawner.kubernetes.namespace if spawner else None
        return named or (NAMESPACE.read_text().strip() if NAMESPACE.exists() else "default")

    async def _remove_home(self, name: str) -> None:
        if self.backend == "kubernetes":
            store = self._claim_store()
            for home in await store.kept():  # those that are being deleted already only have to be waited for
                if home.volume == name:
                    await store.delete(home)
        else:
            await asyncio.to_thread(self._remove_volume, name)

    def _claim_store(self) -> Any:
        from ..spawners.homes_kubernetes import KubernetesHomes

        return KubernetesHomes(self._settings.site.name, self._namespace())

    async def _claims(self) -> Homes:
        found: Homes = {}
        for home in await self._claim_store().kept(ending=True):
            found.setdefault(home.slug, []).append(home.volume)
        return found

    def _volumes(self) -> Homes:
        from ..spawners.homes_swarm import name_pattern, owner

        assert self._settings.spawner
        assert self._settings.spawner.swarm
        hub = slug(self._settings.site.name or "hub")
        named = name_pattern(self._settings.spawner.swarm.home.source, hub)
        found: dict[str, set[str]] = {}
        for client in self._clients():
            for volume in client.volumes().get("Volumes") or ():
                whose = owner(volume, named, hub)
                if whose is not None:
                    found.setdefault(whose, set()).add(volume["Name"])
        return {whose: sorted(names) for whose, names in found.items()}

    def _remove_volume(self, name: str) -> None:
        from docker.errors import APIError, NotFound

        for client in self._clients():
            try:
                client.remove_volume(name)
            except NotFound:
                continue
            except APIError as error:
                said = Text("{name}: {error}", name=name, error=str(error.explanation or error))
                raise HomeError(said) from None

    def _clients(self) -> Iterator[Any]:
        """Yield a client of each machine's engine: a volume is known to its own machine alone."""
        import docker

        assert self._settings.event
        named: list[str | None] = [*addresses(self._settings.event.engines)]
        for address in named or [os.environ.get("DOCKER_HOST")]:
            with closing(docker.APIClient(base_url=address, version="auto", timeout=60)) as client:
                yield client


def addresses(engines: Sequence[str], resolve: Callable[..., Any] = socket.getaddrinfo) -> list[str]:
    """Return the engines with each name replaced by all of its addresses: ``tasks.engines`` is one name for all."""
    found: dict[str, None] = {}
    for engine in engines:
        parts = urlsplit(engine)
        if parts.scheme != "tcp":
            found[engine] = None
            continue
        for _, _, _, _, where in resolve(parts.hostname, parts.port, socket.AF_INET, socket.SOCK_STREAM):
            found[f"tcp://{where[0]}:{where[1]}"] = None
    return list(found)

"""Homes that are Docker volumes: an engine knows only those of its own machine, so the command is run for each."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from ..contracts.text import Text
from ..settings.spawner import SwarmHome
from .base import slug
from .homes_engine import EngineHome
from .homes_kept import HomeError

HUB, USER = "jupytercloud.hub/hub", "jupytercloud.hub/user"


class SwarmHomes:
    """The volumes at one Docker engine: that of ``DOCKER_HOST``, or of the local socket."""

    def __init__(self, site: str, home: SwarmHome, image: str | None = None, client: Any = None) -> None:
        """``image``: any one that the machine has; a volume is read through a container of it that never starts."""
        self._hub, self._home, self._image = slug(site or "hub"), home, image
        self._client = client or docker.APIClient(base_url=os.environ.get("DOCKER_HOST"), version="auto", timeout=300)

    async def kept(self) -> Sequence[EngineHome]:
        """Return this hub's volumes on this machine, with the size of what is in them."""
        return await asyncio.to_thread(self._kept)

    async def archive(self, home: EngineHome, target: Path) -> Path:
        """Pack a volume into ``<target>/<slug>-<date>.tar.gz``; the volume stays."""
        return await asyncio.to_thread(self._archive, home, target)

    async def delete(self, home: EngineHome) -> None:
        """Remove a volume; Docker itself refuses one that a container has."""
        try:
            await asyncio.to_thread(self._client.remove_volume, home.volume)
        except APIError as error:
            raise HomeError(Text("{name}: {error}", name=home.volume, error=str(error.explanation or error))) from None

    def _kept(self) -> list[EngineHome]:
        machine = str(self._client.info().get("Name") or "")
        named = name_pattern(self._home.source, self._hub)
        found = []
        for volume in self._client.df().get("Volumes") or []:
            whose = owner(volume, named, self._hub)
            if whose is not None:
                size = int((volume.get("UsageData") or {}).get("Size", -1))
                made = datetime.fromisoformat(volume["CreatedAt"])
                found.append(EngineHome(whose, volume["Name"], machine, None if size < 0 else size, made))
        return sorted(found, key=lambda home: home.slug)

    def _archive(self, home: EngineHome, target: Path) -> Path:
        target.mkdir(parents=True, exist_ok=True)
        path = target / f"{home.slug}-{datetime.now().astimezone():%Y%m%d}.tar.gz"
        if path.exists():
            raise HomeError(Text("{path} is there already: nothing was touched", path=str(path)))
        if not self._image:
            raise HomeError(Text("Name an image that the machine has, to read the volume with: --image."))
        draft, inside = path.with_name(f".{path.name}.new"), f"/{home.slug}"
        try:
            made = self._client.create_container(
                self._image,
                command=["/bin/sh"],
                host_config=self._client.create_host_config(binds=[f"{home.volume}:{inside}:ro"], network_mode="none"),
            )
        except APIError as error:
            raise HomeError(Text("{name}: {error}", name=home.volume, error=str(error.explanation or error))) from None
        try:
            stream, _ = self._client.get_archive(made["Id"], inside)
            with draft.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                with gzip.GzipFile(fileobj=file, mode="wb") as packed:
                    for chunk in stream:
                        packed.write(chunk)
        finally:
            self._client.remove_container(made["Id"], force=True)
        draft.rename(path)
        return path


def name_pattern(source: str, hub: str) -> re.Pattern[str]:
    """Return what the names of a hub's home volumes look like; the group ``user`` is the person's part.

    ``source`` is ``spawner.swarm.home.source``: ``jupytercloud-{hub}-{user}``.
    """
    pattern = re.escape(source).replace(r"\{hub\}", re.escape(hub))
    for place in ("user", "username"):
        pattern = pattern.replace(rf"\{{{place}\}}", r"(?P<user>[^/]+)", 1)
    return re.compile(pattern)


def owner(volume: Mapping[str, Any], named: re.Pattern[str], hub: str) -> str | None:
    """Return whose home a volume is, None for what is no home of this hub: by its labels, else by its name."""
    labels = volume.get("Labels") or {}
    if HUB in labels:
        return str(labels.get(USER) or "") or None if labels[HUB] == hub else None
    match = named.fullmatch(volume["Name"])
    return match["user"] if match and "user" in named.groupindex else None

"""Homes that an engine keeps, volumes and claims, for ``jupytercloud homes``: what both engines' answers look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class EngineHome:
    """One person's volume or claim."""

    slug: str
    """Of the person."""
    volume: str
    """The engine's name for it."""
    machine: str
    """Where it is; empty where it can be mounted anywhere."""
    size: int | None
    """Bytes: what is in a volume, what a claim may hold; None where the engine does not say."""
    made: datetime


class HomeStore(Protocol):
    """What ``jupytercloud homes`` asks of an engine."""

    async def kept(self) -> Sequence[EngineHome]:
        """Return the homes of this hub."""

    async def archive(self, home: EngineHome, target: Path) -> Path:
        """Pack a home into a new tar file in a folder and return that. Raises `HomeError`."""

    async def delete(self, home: EngineHome) -> None:
        """Delete a home and all that is in it. Raises `HomeError` where a server still uses it."""

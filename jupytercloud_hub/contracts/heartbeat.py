"""What a site tells its portal every few seconds. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from .model import Model
from .text import Localized

MAX_BODY = 256 * 1024
"""Longest body of a heartbeat, in bytes."""

TOKEN_LIFE = 30.0
"""Seconds from ``iat`` to ``exp`` of the token that signs a heartbeat."""

Name = Annotated[str, Field(min_length=1, max_length=100)]


class Notice(Model):
    """Why a site takes nobody, and until when."""

    message: Localized | None = None
    """What the operator says to people."""
    until: AwareDatetime | None = None
    """End; None means until it is taken back."""

    def holds(self, now: AwareDatetime) -> bool:
        """Whether the notice is in force."""
        return self.until is None or now < self.until


class RunningServer(Model):
    """One server that runs at the site; sent only where the site switched it on."""

    person: Annotated[str, Field(max_length=255)]
    """The identifier that is the same at every hub."""
    server: Annotated[str, Field(max_length=100)] = ""
    """JupyterHub's name of the server; empty for the default one."""
    profile: Annotated[str, Field(max_length=100)] = ""
    """Profile that it was started with."""
    gpu: int = Field(default=0, ge=0)
    """GPUs that it holds."""
    started: AwareDatetime | None = None
    """Start."""


class Heartbeat(Model):
    """A site's state in its own words, believed for a short time."""

    site: Name
    """The site's name in the federation."""
    sent: AwareDatetime
    """When it was made, by the site's clock."""
    running: int = Field(default=0, ge=0)
    """Servers that run."""
    profiles: Annotated[tuple[Name, ...], Field(max_length=500)] | None = None
    """Profiles that the site offers; None: not told."""
    gpu_profiles: Annotated[tuple[Name, ...], Field(max_length=500)] = ()
    """Those of ``profiles`` that hold a GPU."""
    titles: Annotated[dict[Name, Localized], Field(max_length=500)] = {}
    """What people read for a profile's name."""
    free: Annotated[dict[Name, Annotated[int, Field(ge=0, le=10_000_000)]], Field(max_length=500)] = {}
    """Free places by profile, ``"*"`` for the whole site; a profile that is missing has no known limit."""
    gpus: Annotated[dict[Name, Annotated[int, Field(ge=0, le=1_000_000)]], Field(max_length=100)] = {}
    """Free GPUs by type."""
    drain: Notice | None = None
    """The site takes nobody new."""
    maintenance: Notice | None = None
    """The site is being worked on."""
    versions: Annotated[dict[Name, Annotated[str, Field(max_length=50)]], Field(max_length=20)] = {}
    """Versions by package: ``jupyterhub``, ``jupytercloud-hub``."""
    servers: Annotated[tuple[RunningServer, ...], Field(max_length=2000)] | None = None
    """Who runs what, where the site shares it; None: not shared."""
    asks_limits: bool = False
    """The site wants to be told of the limits over all sites, and of what its own people run elsewhere."""

    @property
    def full(self) -> bool:
        """Whether the whole site has no free place."""
        return self.free.get("*") == 0

    @property
    def well(self) -> bool:
        """Whether the site says that it takes people."""
        return not (self.full or self.drain or self.maintenance)

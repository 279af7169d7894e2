"""``spawner:``: where people's servers run, and what the site can give them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..contracts.model import Model
from ..profiles.catalogue import PROFILE_NAME, Timeouts
from ..profiles.resources import Capabilities


class GpuType(Model):
    """A type of GPU that the site has; a number alone is the most that one server can get."""

    most: int = Field(ge=1, le=64)
    """Most of them in one machine, hence for one server."""

    @model_validator(mode="before")
    @classmethod
    def _a_number_alone_is_the_most(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | GpuType) else {"most": value}


class LocalSettings(Model):
    """Servers as processes on the hub's own machine: for a laptop, a demonstration, tests."""

    homes: Path | None = None
    """Folder of the homes; ``homes`` below ``site.state`` where it is missing."""
    end_with_hub: bool = False
    """Whether servers end with the hub. Without it they go on when the hub restarts, and are taken over."""


class SpawnerSettings(Model):
    """Where people's servers run."""

    backend: Literal["local"] = "local"
    """The engine: ``local`` for processes on this machine."""
    gpus: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")], GpuType] = Field(
        default_factory=dict
    )
    """GPU types that profiles may ask for, each with the most that one server can get."""
    node_classes: tuple[Annotated[str, Field(pattern=PROFILE_NAME)], ...] = ()
    """Names that a profile's ``node_class`` may take."""
    named_servers: int = Field(default=0, ge=0, le=100)
    """How many servers a person may have besides her default one."""
    timeouts: Timeouts = Timeouts()
    """How long a start may take, where the profile does not say."""
    local: LocalSettings = LocalSettings()
    """For ``backend: local``."""

    def capabilities(self, site: str | None = None) -> Capabilities:
        """Return what the backend gives, as the form and ``check`` say it."""
        return Capabilities(
            backend=self.backend,
            limits="not enforced",
            gpus={name: gpu.most for name, gpu in self.gpus.items()},
            node_classes=None,
            images=False,
            site=site,
        )

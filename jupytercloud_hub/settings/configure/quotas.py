"""What ``quotas:`` sets on a hub."""

from __future__ import annotations

from typing import Any

from ..model import Settings
from .names import QUOTAS
from .registry import Services

SCOPES = (
    "list:users",  # who runs something, and where she is from (user_info)
    "read:users:groups",  # groups are charged too
    "read:servers",  # when a server started, whether it still starts, when it stopped
    "admin:server_state",  # what the spawner recorded: profile and resources
)
"""The least that works; a test takes each away and sees what breaks."""
EXTERNAL_SCOPES = ("read:metrics",)
"""For a service that the hub does not start itself: since when the hub runs, told by its metrics."""


def scopes(settings: Settings) -> tuple[str, ...]:
    """Return the scopes of the quota service."""
    return (*SCOPES, *(EXTERNAL_SCOPES if settings.site.services == "external" else ()))


def configure_quotas(config: Any, settings: Settings, services: Services) -> None:
    """Add the quota service; the spawner takes its address from ``services.urls``."""
    if settings.quotas is not None:
        services.add(QUOTAS, scopes(settings))

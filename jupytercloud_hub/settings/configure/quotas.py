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


def configure_quotas(config: Any, settings: Settings, services: Services) -> None:
    """Add the quota service; the spawner takes its address from ``services.urls``."""
    if settings.quotas is not None:
        services.add(QUOTAS, SCOPES)

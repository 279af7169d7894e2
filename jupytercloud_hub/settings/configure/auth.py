"""What ``auth:`` sets on a hub."""

from __future__ import annotations

from typing import Any

from ..model import Settings
from .registry import Services


def configure_auth(config: Any, settings: Settings, services: Services) -> None:
    """Set the traits of this part and add its service, if the hub has it."""

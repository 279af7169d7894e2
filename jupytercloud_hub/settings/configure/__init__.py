"""``configure(c, path)``: sets ordinary traits of a hub from the one configuration file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..loading import load
from ..model import Settings
from ..problems import SettingsError
from ..secrets import SecretMissingError
from .auth import configure_auth
from .check import configure_check
from .culling import configure_culling
from .event import configure_event
from .federation import configure_federation
from .hub import configure_hub
from .quotas import configure_quotas
from .registry import Services
from .spawner import configure_spawner

__all__ = ["configure"]


def configure(config: Any, path: str | Path = "jupytercloud.yaml") -> Settings:
    """Set a hub's traits from ``jupytercloud.yaml``; call it first, and whatever follows wins.

    Lists that may hold something already (services, roles, template paths) are appended to. A file with
    mistakes ends the hub's start with one line for each, and no stack trace: `SystemExit` with code 1.
    """
    try:
        settings = load(path)
        configure_hub(config, settings)
        services = Services(config, settings)
        configure_auth(config, settings, services)
        configure_quotas(config, settings, services)
        configure_spawner(config, settings, services)
        configure_event(config, settings, services)
        configure_culling(config, settings, services)
        configure_federation(config, settings, services)
        configure_check(settings, services)
        services.finish()
    except SettingsError as error:
        _stop(*(f"{problem.place}: {problem.text()}" for problem in error.problems))
    except SecretMissingError as error:
        _stop(f"{path}: {error.text}")
    return settings


def _stop(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 - the hub's log is not there yet
    raise SystemExit(1)

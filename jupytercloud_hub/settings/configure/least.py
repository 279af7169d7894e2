"""The least scopes that each service of a hub works with, for whoever looks whether it holds them."""

from __future__ import annotations

from ..model import Settings
from . import culling, event, federation, quotas
from .names import AGENT, CULLER, EVENTS, FEDERATION, QUOTAS, ServiceName, services


def least_scopes(settings: Settings) -> dict[ServiceName, frozenset[str]]:
    """Return the scopes that `configure` gives to each service."""
    wanted: dict[ServiceName, tuple[str, ...]] = {
        FEDERATION: tuple(federation.SERVICE_SCOPES),
        AGENT: tuple(federation.AGENT_SCOPES),
        CULLER: culling.scopes(settings),
        QUOTAS: quotas.scopes(settings),
        EVENTS: tuple(event.SCOPES),
    }
    return {name: frozenset(wanted[name]) for name in services(settings)}

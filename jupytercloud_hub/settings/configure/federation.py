"""What ``federation:`` sets on a hub: the portal's service, or a site's agent."""

from __future__ import annotations

from typing import Any

from ..model import Settings
from .names import AGENT, FEDERATION
from .registry import Services
from .traits import update

SITES_SCOPE = "custom:jupytercloud:sites"
HOME_SITES_SCOPE = "custom:jupytercloud:home-sites"
EXPLAIN_SCOPE = "custom:jupytercloud:explain"

SCOPES = {
    SITES_SCOPE: {"description": "Register sites, change their keys, drain them and announce maintenance."},
    HOME_SITES_SCOPE: {"description": "Read and change everybody's home site."},
    EXPLAIN_SCOPE: {"description": "Ask where anybody would be sent, and why."},
}

SERVICE_SCOPES = ("read:users:name", "read:users:groups")
"""What the portal's service needs of its hub: who somebody is, when an operator asks where she would be sent."""

AGENT_SCOPES = ("list:users", "read:users:name", "read:servers", "admin:server_state")
"""What a site's agent needs: which servers run, with the profile that each was started with."""


def configure_federation(config: Any, settings: Settings, services: Services) -> None:
    """Add the service of a portal, or the agent of a site that belongs to one."""
    if settings.federation is None:
        return
    if settings.site.role == "portal":
        update(config.JupyterHub, "custom_scopes", SCOPES)
        services.add(FEDERATION, SERVICE_SCOPES)
    elif settings.federation.portal is not None:
        services.add(AGENT, AGENT_SCOPES)

"""What ``federation:`` sets on a hub: the portal's service, or a site's agent."""

from __future__ import annotations

import os
from typing import Any

from ...contracts.text import Text
from ..model import Settings
from ..problems import Problem, SettingsError
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

AGENT_SCOPES = ("list:users", "read:servers", "admin:server_state")
"""What a site's agent needs: which servers run, of whom (`list:users` has the names with it), of which profile."""


TOKEN_VARIABLE = f"JUPYTERCLOUD_{FEDERATION.upper()}_API_TOKEN"


def configure_federation(config: Any, settings: Settings, services: Services) -> None:
    """Add the service of a portal, or the agent of a site that belongs to one."""
    if settings.federation is None:
        return
    if settings.site.role == "portal":
        if settings.site.services == "external":
            _left_to_replicas(settings)
        update(config.JupyterHub, "custom_scopes", SCOPES)
        services.add(FEDERATION, SERVICE_SCOPES)
    elif settings.federation.portal is not None:
        services.add(AGENT, AGENT_SCOPES)


def _left_to_replicas(settings: Settings) -> None:
    """See that a hub whose replicas are run by somebody else knows their token and where they are."""
    wrong = []
    if not os.environ.get(TOKEN_VARIABLE):
        wrong.append(
            Text(
                "the replicas of the federation service are run by somebody else, and the hub must know their token: "
                "set the environment variable {name}, the same for all of them",
                name=TOKEN_VARIABLE,
            )
        )
    if FEDERATION not in settings.site.service_urls:
        wrong.append(
            Text(
                "the replicas of the federation service are run by somebody else: say in site.service_urls where the "
                "hub's proxy reaches one of them, such as {example}",
                example="{federation: http://127.0.0.1:8010}",
            )
        )
    if wrong:
        file = str(settings.file)
        raise SettingsError([Problem(file, 0, 0, ("site", "services"), "external", rule) for rule in wrong])

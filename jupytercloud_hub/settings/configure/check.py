"""What ``jupytercloud check`` may ask a hub that runs: a token of its own, kept beside the hub's other secrets."""

from __future__ import annotations

from ..model import Settings
from .names import CHECK, CHECK_TOKEN_FILE, page_services
from .registry import Services

SCOPES = (
    "proxy",  # the routes of the proxy
    "read:services",  # which services the hub knows; and, at each service, which scopes it holds
)
"""The least that works; and access to each service's API."""
WITH_SERVERS = ("list:users", "read:servers")
"""Where servers run: which of them the hub knows, beside what the engine holds."""


def configure_check(settings: Settings, services: Services) -> None:
    """Let ``jupytercloud check`` look deeper, run by the hub's own account on the hub's machine."""
    # Imported here: services load the settings without any part of the hub.
    from ...web.context import kept_secret

    token = kept_secret(settings.state_folder, CHECK_TOKEN_FILE).hex()
    access = [f"access:services!service={name}" for name in page_services(settings)]
    servers = WITH_SERVERS if settings.spawner is not None and settings.site.role != "portal" else ()
    services.add_client(CHECK, [*SCOPES, *servers, *access], token=token)

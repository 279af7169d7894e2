"""What ``jupytercloud check`` may ask a hub that runs: a token of its own, kept beside the hub's other secrets."""

from __future__ import annotations

from ..model import Settings
from .names import CHECK, CHECK_TOKEN_FILE, page_services
from .registry import Services

SCOPES = (
    "proxy",  # the routes of the proxy
    "list:users",  # whose servers the hub knows, beside what the engine holds
    "read:servers",
    "read:services",  # which services the hub knows; and, at each service, which scopes it holds
)
"""The least that works; and access to each service's API."""


def configure_check(settings: Settings, services: Services) -> None:
    """Let ``jupytercloud check`` look deeper, run by the hub's own account on the hub's machine."""
    # Imported here: services load the settings without any part of the hub.
    from ...web.context import kept_secret

    token = kept_secret(settings.state_folder, CHECK_TOKEN_FILE).hex()
    access = [f"access:services!service={name}" for name in page_services(settings)]
    services.add_client(CHECK, [*SCOPES, *access], token=token)

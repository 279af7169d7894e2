"""What ``culling:`` sets on a hub."""

from __future__ import annotations

from typing import Any

from ...contracts.stops import STOPS_PATH
from ..model import Settings
from .names import CULL, CULL_TOKEN_FILE, CULLER, QUOTAS, STOPS_SCOPE
from .registry import Services
from .traits import present, update

SCOPES = (
    "list:users",  # the pages of users with running servers, and where they are from (user_info)
    "read:users:groups",  # rules by group
    "read:servers",  # started, last_activity, pending
    "admin:server_state",  # what the spawner recorded: profile and resources
    "delete:servers",  # the stop itself
)
"""The least that works; a test takes each away and sees what breaks. Never ``access:servers``."""

SERVER_TOKEN_SCOPES = ("users:activity!user", "access:servers!server")
"""What JupyterHub gives the token of a server by default."""


def scopes(settings: Settings) -> tuple[str, ...]:
    """Return the scopes of the culler; with quotas it asks the quota service too."""
    asks = (f"access:services!service={QUOTAS}", STOPS_SCOPE) if settings.quotas is not None else ()
    return (*SCOPES, *asks)


def configure_culling(config: Any, settings: Settings, services: Services) -> None:
    """Add the culler; let each server's own token reach it, to report activity and to ask when it stops."""
    if settings.culling is None:
        return
    environment = {}
    if settings.quotas is not None:
        quotas = f"{services.urls[QUOTAS]}{settings.site.base_path}services/{QUOTAS}/"
        environment["JUPYTERCLOUD_STOPS_URL"] = f"{quotas}{STOPS_PATH}"
    services.add(CULLER, scopes(settings), environment=environment)
    # Imported here: services load the settings without any part of the hub.
    from ...web.context import kept_secret

    # `jupytercloud cull` on the hub's machine, by the hub's account: where the service is stuck, it does its work.
    services.add_client(CULL, scopes(settings), token=kept_secret(settings.state_folder, CULL_TOKEN_FILE).hex())
    spawner = config.Spawner
    wanted = present(spawner, "server_token_scopes", list(SERVER_TOKEN_SCOPES))
    spawner.server_token_scopes = [*wanted, f"access:services!service={CULLER}"]
    update(spawner, "environment", {"JUPYTERCLOUD_CULLER_URL": f"{_address(settings)}services/{CULLER}/"})


def _address(settings: Settings) -> str:
    """Return where servers reach the hub's pages: an event's own proxy, which needs no way out and no certificate."""
    inside = settings.event.proxy_url if settings.event else ""
    return f"{inside.rstrip('/')}{settings.site.base_path}" if inside else settings.site.url

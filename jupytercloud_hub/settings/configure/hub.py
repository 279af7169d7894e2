"""What every hub gets: its path, its state folder, safe cookies, deep links that arrive as they were sent."""

from __future__ import annotations

from typing import Any

from ..model import Settings
from .names import CUSTOM_SCOPES, FEDERATION
from .traits import append, update


def configure_hub(config: Any, settings: Settings) -> None:
    """Set the hub's own traits."""
    site, state, hub = settings.site, settings.state_folder, config.JupyterHub
    state.mkdir(parents=True, exist_ok=True)
    # Not base_url: once that is set, JupyterHub overwrites a bind_url that stands further down in the file.
    hub.bind_url = f"http://:8000{site.base_path}"
    hub.public_url = site.url
    hub.cookie_secret_file = str(state / "jupyterhub_cookie_secret")
    hub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
    update(hub, "db_kwargs", {"hide_parameters": True})  # what is logged names no people
    if site.cookie_host_prefix:
        hub.cookie_host_prefix_enabled = True
    if site.wildcard:
        hub.subdomain_host = site.origin
    update(hub, "custom_scopes", CUSTOM_SCOPES)
    hub.cleanup_servers = False
    hub.concurrent_spawn_limit = 100
    config.JupyterHubHTTPClient.connector_options = _connector_options()
    config.ConfigurableHTTPProxy.pid_file = str(state / "jupyterhub-proxy.pid")
    _pages(config, settings)
    if site.role == "portal":
        _portal(config, settings)


def _connector_options() -> dict[str, Any]:
    from ...hubapi.resolver import connector_options

    return connector_options()


def _pages(config: Any, settings: Settings) -> None:
    # Imported here: services load the settings without any part of the hub.
    from ...web.deep_links import user_redirect_hook
    from ...web.hub_pages import template_folder, template_vars

    hub = config.JupyterHub
    hub.user_redirect_hook = user_redirect_hook
    append(hub, "template_paths", str(template_folder()))
    update(hub, "template_vars", template_vars(settings))


def _portal(config: Any, settings: Settings) -> None:
    """A portal starts no servers: its people land on the federation service."""
    hub = config.JupyterHub
    hub.default_url = f"{settings.site.base_path}services/{FEDERATION}/"
    hub.allow_named_servers = False
    role = {
        "name": "user",
        "description": "People of the portal: no servers",
        "scopes": [f"access:services!service={FEDERATION}", "read:users!user", "tokens!user", "users:activity!user"],
    }
    append(hub, "load_roles", role)

"""Adds services to a hub: address, token, role with the least scopes, and the command that runs them."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from ..model import Settings
from ..secrets import Secret
from .names import ServiceName, page_services
from .traits import append

_PASSED_ON = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TZ",
    "DOCKER_HOST",  # an event's service looks at the engine of its seats
    "KUBECONFIG",
)

MANAGED_SECONDS = 180
"""JupyterHub ends itself where a service that it manages does not answer in time, and its own 30 s are short on a busy
machine, or for one whose tables are being upgraded."""


class Services:
    """The services of one hub while it is being configured."""

    def __init__(self, config: Any, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._together: dict[str, str] = {}
        self.urls: dict[str, str] = {}
        """Address of each service on this machine (or as ``site.service_urls`` says), without the prefix."""

    def add(self, name: ServiceName, scopes: Sequence[str], *, environment: dict[str, str] | None = None) -> str:
        """Add a service that holds ``scopes`` and return its address with its prefix, for calls from the hub."""
        site = self._settings.site
        url = site.service_urls.get(name, "").rstrip("/") or f"http://127.0.0.1:{_free_port()}"
        self.urls[name] = url
        service: dict[str, Any] = {"name": name, "display": name in page_services(self._settings)}
        if name in page_services(self._settings):
            service.update(url=url, oauth_no_confirm=True, oauth_client_id=f"service-{name}")
        if site.services == "separate":
            service["command"] = _command("serve", name, self._settings)
            service["timeout"] = MANAGED_SECONDS
            service["environment"] = {
                **_environment(self._settings),
                f"JUPYTERCLOUD_{name.upper()}_URL": url,
                **(environment or {}),
            }
        else:
            token = os.environ.get(f"JUPYTERCLOUD_{name.upper()}_API_TOKEN") or secrets.token_hex(32)
            service["api_token"] = token
            self._together |= {
                f"JUPYTERCLOUD_{name.upper()}_URL": url,
                f"JUPYTERCLOUD_{name.upper()}_API_TOKEN": token,
                **(environment or {}),
            }
        self._append("services", service)
        if scopes:
            self._append("load_roles", {"name": f"service-{name}", "scopes": sorted(scopes), "services": [name]})
        return f"{url}{site.base_path}services/{name}/"

    def add_client(self, name: str, scopes: Iterable[str], *, token: str = "") -> str:
        """Add a program that only holds a token (by default made anew at each start of the hub); return the token."""
        token = token or os.environ.get("JUPYTERCLOUD_HUB_CLIENT_TOKEN") or secrets.token_hex(32)
        self._append("services", {"name": name, "api_token": token, "display": False})
        self._append("load_roles", {"name": f"client-{name}", "scopes": sorted(scopes), "services": [name]})
        return token

    def finish(self) -> None:
        """Let people reach the services' pages; start the one process where all run together."""
        site = self._settings.site
        pages = [f"access:services!service={name}" for name in page_services(self._settings)]
        if site.role != "portal" and pages:
            for scope in pages:
                self._append("extra_user_scopes", scope)
        if self._together and site.services == "together":
            service = {
                "name": "jupytercloud-services",
                "display": False,
                "command": _command("serve", "all", self._settings),
                "environment": {**_environment(self._settings), **self._together},
            }
            # First of all: the hub starts services in this order, and waits for those that it takes for external.
            self._config.JupyterHub.services.insert(0, service)

    def _append(self, trait: str, value: Any) -> None:
        append(self._config.JupyterHub, trait, value)


def _command(verb: str, name: str, settings: Settings) -> list[str]:
    return [sys.executable, "-m", "jupytercloud_hub", verb, name, "--config", str(settings.file.resolve())]


def _environment(settings: Settings) -> dict[str, str]:
    """Return what services need of the hub's environment: proxies, certificates, and the secrets they name."""
    names = {*_PASSED_ON, *_secret_names(settings)}
    return {name: os.environ[name] for name in sorted(names) if name in os.environ}


def _secret_names(value: Any) -> set[str]:
    if isinstance(value, Secret):
        return {value.env} if value.env else set()
    if isinstance(value, BaseModel):
        return {name for field in type(value).model_fields for name in _secret_names(getattr(value, field))}
    if isinstance(value, list | tuple):
        return {name for item in value for name in _secret_names(item)}
    if isinstance(value, dict):
        return {name for item in value.values() for name in _secret_names(item)}
    return set()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

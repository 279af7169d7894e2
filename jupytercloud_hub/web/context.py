"""How a service process reaches its hub: what JupyterHub tells it when it starts it, or an operator by hand."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuth

from ..contracts.text import Text

CACHE_SECONDS = 30
"""How long a service believes what the hub said of a token: a logout reaches every page within this time."""


class ContextError(Exception):
    """The environment lacks what a service needs to reach its hub; `text` says what, and who sets it."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


@dataclass(frozen=True)
class ServiceContext:
    """Where a service listens and how it speaks to its hub."""

    name: str
    prefix: str
    """Path of the service on the hub's public address, with ``/`` at both ends."""
    bind: tuple[str, int]
    api_url: str
    api_token: str
    base_url: str
    """Base path of the hub, with ``/`` at both ends."""
    cookie_secret: bytes
    managed: bool = False
    """Started by the hub: ends with it."""

    @classmethod
    def from_environment(cls, name: str, state_folder: Path, environ: Mapping[str, str] = os.environ) -> ServiceContext:
        """Read JupyterHub's environment for managed services.

        Where one process runs several services, ``JUPYTERCLOUD_<NAME>_API_TOKEN`` and ``JUPYTERCLOUD_<NAME>_URL``
        come before ``JUPYTERHUB_API_TOKEN`` and ``JUPYTERHUB_SERVICE_URL``. Raises `ContextError`.
        """
        own = f"JUPYTERCLOUD_{name.upper()}"
        token = environ.get(f"{own}_API_TOKEN") or environ.get("JUPYTERHUB_API_TOKEN")
        url = environ.get(f"{own}_URL") or environ.get("JUPYTERHUB_SERVICE_URL")
        if not token or not url:
            missing = f"{own}_API_TOKEN" if not token else f"{own}_URL"
            raise ContextError(
                Text(
                    "{name} is not set: the hub sets it when it starts the service itself (jupyterhub_config.py calls "
                    "configure); for a service of its own, set it and JUPYTERHUB_API_URL by hand",
                    name=missing,
                )
            )
        base_url = environ.get("JUPYTERHUB_BASE_URL") or "/"
        parts = urlsplit(url)
        return cls(
            name=name,
            prefix=f"{base_url}services/{name}/",
            bind=(parts.hostname or "127.0.0.1", parts.port or 80),
            api_url=environ.get("JUPYTERHUB_API_URL") or "http://127.0.0.1:8081/hub/api",
            api_token=token,
            base_url=base_url,
            cookie_secret=kept_secret(state_folder, "services_cookie_secret"),
            managed="JUPYTERHUB_SERVICE_NAME" in environ,
        )

    def hub_auth(self, login: type[HubOAuth] = HubOAuth) -> HubOAuth:
        """Return the client that logs people in through the hub."""
        return login(
            api_url=self.api_url,
            api_token=self.api_token,
            base_url=self.prefix,
            hub_prefix=f"{self.base_url}hub/",
            oauth_client_id=f"service-{self.name}",
            oauth_redirect_uri=f"{self.prefix}oauth_callback",
            access_scopes={"access:services", f"access:services!service={self.name}"},
            cache_max_age=CACHE_SECONDS,
            cookie_options={"SameSite": "Lax"},
        )


def kept_secret(folder: Path, name: str, length: int = 32) -> bytes:
    """Return a random secret that stays the same over restarts, kept in a file that only its owner reads."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    for _ in range(2):
        try:
            return bytes.fromhex(path.read_text().strip())
        except FileNotFoundError:
            draft = folder / f".{name}.{os.getpid()}"
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_hex(length))
            try:
                os.link(draft, path)  # of two processes that start at once, one wins
            except FileExistsError:
                pass
            finally:
                draft.unlink()
    raise RuntimeError(f"{path} can be neither read nor made")

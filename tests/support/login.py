"""A person who logs in at the demo's OpenID provider, step by step, with an ordinary HTTP client as her browser."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from jupyterhub.spawner import Spawner
from traitlets.config import Config

from jupytercloud_hub.auth import RenaterAuthenticator
from tests.support.hub import TestHub, start_hub, stop_hub
from tests.support.ports import free_port
from tests.support.provider import provider

CLIENT_ID, CLIENT_SECRET = "hub", "secret-of-the-hub"
BASE_PATH = "/@/space%20word/"


def client_metadata(hub_url: str, **more: Any) -> dict[str, Any]:
    """Return what the provider has to know of a hub at ``hub_url`` (ending in ``/hub/``)."""
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [f"{hub_url}oauth_callback"],
        "post_logout_redirect_uris": [f"{hub_url}oidc/logged-out"],
        **more,
    }


@contextlib.asynccontextmanager
async def renater_hub(
    folder: Path,
    issuer: str,
    *,
    port: int | None = None,
    traits: dict[str, Any] | None = None,
    spawner: type[Spawner] | None = None,
) -> AsyncIterator[TestHub]:
    """Run a hub with RenaterAuthenticator whose own address is that of its browsers (no proxy between)."""
    config = Config()
    port = port or free_port()
    config.JupyterHub.authenticator_class = RenaterAuthenticator
    config.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port}"
    if spawner is not None:
        config.JupyterHub.spawner_class = spawner
    config.CryptKeeper.keys = ["11" * 32]
    config.Authenticator.allow_all = False
    for name, value in {
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "database_url": f"sqlite:///{folder}/jupytercloud.sqlite",
        "oauth_callback_url": f"http://127.0.0.1:{port}{BASE_PATH}hub/oauth_callback",
        **(traits or {}),
    }.items():
        setattr(config.RenaterAuthenticator, name, value)
    hub = await start_hub(config, {}, folder)
    try:
        yield hub
    finally:
        await stop_hub(hub)


@contextlib.asynccontextmanager
async def hub_and_provider(
    folder: Path,
    *,
    traits: dict[str, Any] | None = None,
    client: dict[str, Any] | None = None,
    spawner: type[Spawner] | None = None,
    **config: Any,
) -> AsyncIterator[tuple[TestHub, str]]:
    """Run a provider that knows one hub, and that hub; yields the hub and the issuer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}{BASE_PATH}hub/"
    async with (
        provider(folder, clients=[client_metadata(url, **(client or {}))], **config) as issuer,
        renater_hub(folder, issuer, port=port, traits=traits, spawner=spawner) as hub,
    ):
        yield hub, issuer


class Browser:
    """Follows redirects by hand, keeps cookies, and remembers every address that it was sent to."""

    def __init__(self, hub: TestHub, language: str = "fr") -> None:
        self.hub = hub
        self.base = f"http://127.0.0.1:{hub.hub.port}{hub.hub.base_url}"
        self.http = httpx.AsyncClient(headers={"Accept-Language": language}, trust_env=False, timeout=90)
        self.visited: list[str] = []

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, address: str = "login", *, stop: str | None = None) -> httpx.Response:
        """Open an address (relative to ``/hub/``) and follow redirects, up to one that contains ``stop``."""
        return await self._follow(await self.http.get(urljoin(self.base, address)), stop)

    async def _follow(self, response: httpx.Response, stop: str | None = None) -> httpx.Response:
        for _ in range(20):
            if not response.is_redirect:
                return response
            location = urljoin(str(response.url), response.headers["location"])
            self.visited.append(location)
            if stop and stop in location:
                return response
            response = await self.http.get(location)
        raise AssertionError(f"redirected for ever: {self.visited}")

    async def log_in(
        self, login: str, organization: str, *, address: str = "login", stop: str | None = None
    ) -> httpx.Response:
        """Log in from ``address`` on; returns the page where it ended."""
        page = await self.get(address)
        assert "/interaction/" in str(page.url), page.text[:500]
        return await self.authenticate(page, login, organization, stop=stop)

    async def authenticate(
        self, page: httpx.Response, login: str, organization: str, *, stop: str | None = None
    ) -> httpx.Response:
        """Choose the organization and send the form of the provider's login page."""
        url = page.url.copy_with(params={"organization": organization})
        form = {"username": login, "password": f"{login}-demo"}
        return await self._follow(await self.http.post(url, data=form), stop)

    async def user(self) -> dict[str, Any] | None:
        """Return the hub's model of who is logged in."""
        response = await self.http.get(urljoin(self.base, "api/user"), headers={"Referer": urljoin(self.base, "home")})
        return response.json() if response.status_code == 200 else None

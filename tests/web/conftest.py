"""A real hub in the test's process, a small service beside it, and a browser that sees both at one address."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tornado.httpserver import HTTPServer
from tornado.web import authenticated
from traitlets.config import Config

from jupytercloud_hub.contracts.model import Model
from jupytercloud_hub.contracts.text import Text
from jupytercloud_hub.settings import load
from jupytercloud_hub.web.context import ServiceContext
from jupytercloud_hub.web.errors import PublicError
from jupytercloud_hub.web.handlers import ApiHandler, PageHandler
from jupytercloud_hub.web.service import Service
from tests.support.hub import TestHub, Visitor, start_hub, stop_hub
from tests.support.ports import free_port

BASE = "/@/space%20word/"
PREFIX = f"{BASE}services/essai/"
ORIGIN = "http://hub.example"

SETTINGS = """
site:
  name: essai
  title: {fr: Laboratoire d'essai, en: Trial laboratory}
  url: http://127.0.0.1:8000/@/space%20word/
  contact: aide@example.fr
privacy: {contact: dpo@example.fr}
"""

PEOPLE: dict[str, dict[str, Any]] = {"lea": {"language": "fr"}, "bob": {"language": "en"}, "marie": {}}


class Amount(Model):
    number: int


class MyPage(PageHandler):
    @authenticated
    def get(self) -> None:
        self.render_page("privacy.html", privacy=self.service.settings.privacy)

    @authenticated
    def post(self) -> None:
        self.write(f"done by {self.person.username}")


class Broken(PageHandler):
    anonymous = True

    def get(self, how: str) -> None:
        if how == "public":
            raise PublicError(503, "closed", Text("Privacy"), Text("Privacy"), retry_after=self.service.wait)
        raise ZeroDivisionError("secret detail")


class Api(ApiHandler):
    def get(self) -> None:
        self.write_json({"name": self.user["name"]})

    def post(self) -> None:
        self.write_model(self.json_body(Amount))


class Guarded(ApiHandler):
    required_scopes = ("read:metrics", "admin:users")

    def get(self) -> None:
        self.write_json({})


class Trial(Service):
    """The smallest service that has a page and an API."""

    name = "essai"
    wait = timedelta(seconds=30)
    well = True

    def handlers(self) -> list[tuple[Any, ...]]:
        return [(r"", MyPage), (r"broken/(\w+)", Broken), (r"api/v1/me", Api), (r"api/v1/guarded", Guarded)]

    async def health(self) -> tuple[bool, dict[str, Any]]:
        return self.well, {"database": "ok" if self.well else "away"}


class OneAddress(httpx.AsyncBaseTransport):
    """What a proxy does: the service's paths go to the service, all others to the hub."""

    def __init__(self, hub_port: int, service_port: int) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.hub_port, self.service_port = hub_port, service_port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().replace("%40", "@")
        port = self.service_port if path.startswith(PREFIX) else self.hub_port
        inner = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1", port=port),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self.inner.handle_async_request(inner)

    async def aclose(self) -> None:
        await self.inner.aclose()


def make_service(folder: Path, api_url: str) -> Trial:
    """The service, on a free port, that asks the hub at `api_url`."""
    (folder / "jupytercloud.yaml").write_text(SETTINGS)
    context = ServiceContext(
        name="essai",
        prefix=PREFIX,
        bind=("127.0.0.1", free_port()),
        api_url=api_url,
        api_token="e" * 32,
        base_url=BASE,
        cookie_secret=b"k" * 32,
    )
    return Trial(load(folder / "jupytercloud.yaml"), context)


@contextlib.asynccontextmanager
async def listening(service: Trial) -> AsyncIterator[httpx.AsyncClient]:
    """The service answers; the client speaks to it without a proxy between."""
    server = HTTPServer(service.application(), xheaders=True)
    host, port = service.context.bind
    server.listen(port, host)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}", trust_env=False, timeout=60) as client:
        yield client
    server.stop()
    await server.close_all_connections()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub_and_service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[TestHub, Trial, Any]]:
    folder, hub_port = tmp_path_factory.mktemp("hub"), free_port()
    service = make_service(folder, f"http://127.0.0.1:{hub_port}{BASE}hub/api")
    address = f"http://127.0.0.1:{service.context.bind[1]}"
    config = Config()
    config.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub_port}"
    config.JupyterHub.services = [
        {
            "name": "essai",
            "url": address,
            "api_token": "e" * 32,
            "oauth_client_id": "service-essai",
            "oauth_no_confirm": True,
        },
        {"name": "watcher", "api_token": "w" * 32},
        {"name": "nobody", "api_token": "n" * 32},
    ]
    config.JupyterHub.extra_user_scopes = ["access:services!service=essai"]
    config.JupyterHub.load_roles = [
        {"name": "watcher", "services": ["watcher"], "scopes": ["read:metrics", "access:services!service=essai"]},
        {"name": "nobody", "services": ["nobody"], "scopes": ["access:services!service=essai"]},
    ]
    async with listening(service) as client:
        hub = await start_hub(config, PEOPLE, folder)
        yield hub, service, client
        await stop_hub(hub)


@pytest_asyncio.fixture(loop_scope="module")
async def essai(hub_and_service: tuple[TestHub, Trial, Any]) -> AsyncIterator[SimpleNamespace]:
    """The service, running; `visitor` opens browsers."""
    hub, service, client = hub_and_service
    service.well = True
    client.cookies.clear()
    visitors: list[Visitor] = []

    def visitor(language: str | None = None) -> Visitor:
        browser = Visitor(hub, language)
        transport = OneAddress(hub.hub.port, service.context.bind[1])
        headers = {"Accept-Language": language} if language else {}
        browser.client = httpx.AsyncClient(
            base_url=f"{ORIGIN}{BASE}hub/", headers=headers, transport=transport, timeout=60
        )
        visitors.append(browser)
        return browser

    yield SimpleNamespace(service=service, client=client, visitor=visitor)
    for browser in visitors:
        await browser.client.aclose()

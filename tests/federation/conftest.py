"""Sites that answer, hang, refuse or are gone; portals with a real hub, or with the hub's answer given."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyterhub.services.auth import HubAuth
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupytercloud_hub.federation.service import FederationService
from jupytercloud_hub.settings import Settings, load
from jupytercloud_hub.web.context import ServiceContext

PREFIX = "/portal/services/federation/"


class FakeSite:
    """A site's hub as the portal's probes see it; ``mode`` is ok, slow, 503, hung, other or old."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.probes = 0
        self.open = 0
        self.most_open = 0
        self._server: asyncio.Server | None = None
        self.port = 0  # chosen at the first start, and kept

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/site/"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.probes += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self.mode == "hung":
                await reader.read()
                return
            if self.mode == "slow":
                await asyncio.sleep(0.2)
            status = "503 Service Unavailable" if self.mode == "503" else "200 OK"
            version = {"old": "4.1.6", "other": None}.get(self.mode, "6.1.1")
            header = f"X-JupyterHub-Version: {version}\r\n" if version else ""
            writer.write(f"HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def sites() -> AsyncIterator[dict[str, FakeSite]]:
    """Three sites that answer."""
    found = {name: FakeSite() for name in ("grenoble", "reims", "paris-saclay")}
    for site in found.values():
        await site.start()
    yield found
    for site in found.values():
        await site.kill()


PORTAL = """
site: {{name: portail, role: portal, title: {{fr: Portail, en: Portal}}, url: "{url}", contact: aide@portail.example,
  state: ./state}}
federation:
  sites:
    - {{name: grenoble, title: Grenoble, url: "{grenoble}"}}
    - {{name: reims, title: Reims, url: "{reims}"}}
    - {{name: paris-saclay, title: Paris-Saclay, url: "{paris}"}}
  rules:
    - {{name: grenoble, home_organizations: [univ-grenoble-alpes.fr], allow: [grenoble, reims], prefer: [grenoble]}}
    - {{name: saclay, home_organizations: ["*.universite-paris-saclay.fr"], allow: ["*"], prefer: [paris-saclay]}}
{health}{more}
"""


QUICK = "  health: {interval: 0.2 s, timeout: 0.8 s, second_look: 0.05 s, longest: 1 s, slow: 0.7 s}\n"


def write_portal(
    folder: Path, sites: dict[str, Any], url: str = "http://127.0.0.1:1/portal/", more: str = "", quick: bool = True
) -> Path:
    """Write a portal's settings file."""
    path = folder / "jupytercloud.yaml"
    urls = {name.partition("-")[0]: site.url for name, site in sites.items()}
    path.write_text(PORTAL.format(url=url, health=QUICK if quick else "", more=more, **urls))
    return path


class KnownHub:
    """What a service asks of HubOAuth, answered without a hub: the cookie says who it is."""

    cookie_name = "service-federation"
    login_url = "/portal/hub/api/oauth2/authorize?client_id=service-federation"
    access_scopes = None
    auth_header_pat = HubAuth.auth_header_pat

    def __init__(self, people: dict[str, dict[str, Any]]) -> None:
        self.people = people
        self.away = False
        self.asked = 0

    async def get_user(self, handler: Any, sync: bool = False) -> dict[str, Any] | None:
        self.asked += 1
        if self.away:
            raise ConnectionError("the hub is away")
        header = handler.request.headers.get("Authorization", "")
        name = header.partition(" ")[2] or (handler.get_cookie(self.cookie_name) or "")
        return self.people.get(name)

    def check_xsrf_cookie(self, handler: Any) -> None:
        return None

    def _persist_url_token_if_set(self, handler: Any) -> None:
        return None

    def _get_xsrf_token_id(self, handler: Any) -> bytes:
        return b"x"

    base_url = PREFIX


def user(name: str, organization: str = "univ-grenoble-alpes.fr", **more: Any) -> dict[str, Any]:
    """A JupyterHub user model."""
    published = {"person": f"{name}@{organization}", "home_organization": organization, "affiliations": ["member"]}
    return {
        "kind": "user",
        "name": name,
        "groups": [],
        "admin": False,
        "scopes": ["access:services!service=federation"],
        "user_info": {"name": name.title(), "jupytercloud": published},
        **more,
    }


PEOPLE = {
    "marie": user("marie"),
    "paul": user("paul", "nowhere.example"),
    "simone": user("simone", "www.universite-paris-saclay.fr"),
    "admin": user("admin", admin=True),
    "robot": {"kind": "service", "name": "robot", "scopes": ["custom:jupytercloud:explain"], "groups": []},
}


class Portal:
    """A federation service that runs, and a client that follows nothing."""

    def __init__(self, service: FederationService, hub: KnownHub, port: int) -> None:
        self.service, self.hub, self.port = service, hub, port
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}", trust_env=False)

    async def get(
        self, target: str, person: str | None = "marie", method: str = "GET", **headers: str
    ) -> httpx.Response:
        """Ask for a raw target below the prefix, with nothing encoded or decoded on the way."""
        cookies = [f"service-federation={person}; jupyterhub-session-id=s-{person}"] if person else []
        if headers.get("cookie"):
            cookies.append(headers.pop("cookie"))
        if cookies:
            headers["cookie"] = "; ".join(cookies)
        request = self.client.build_request(method, "", headers=headers)
        request.extensions["target"] = (PREFIX + target).encode("latin-1")
        return await self.client.send(request)

    async def until(self, **states: str) -> None:
        """Wait until sites are shown in these states."""
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        async with asyncio.timeout(60):
            while any(self.service.board.known[name].shown.state != state for name, state in wanted.items()):
                await asyncio.sleep(0.02)


class Clock:
    """A clock that runs, and can be set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def start_service(
    settings: Settings, hub: KnownHub, clock: Clock, port: int = 0, **more: Any
) -> tuple[FederationService, HTTPServer, int]:
    """Start a federation service in this process."""
    sockets = bind_sockets(port, "127.0.0.1")
    port = sockets[0].getsockname()[1]
    context = ServiceContext(
        name="federation",
        prefix=PREFIX,
        bind=("127.0.0.1", port),
        api_url="http://127.0.0.1:1/hub/api",
        api_token="t",
        base_url="/portal/",
        cookie_secret=b"k" * 32,
    )
    service = FederationService(settings, context, clock, **more)
    application = service.application()
    application.settings["hub_auth"] = hub
    await service.start()
    server = HTTPServer(application, xheaders=True)
    server.add_sockets(sockets)
    return service, server, port


@contextlib.asynccontextmanager
async def portal_of(path: Path, clock: Clock | None = None, port: int = 0, **more: Any) -> AsyncIterator[Portal]:
    """A portal of a settings file, whose hub is `KnownHub`."""
    hub = KnownHub(PEOPLE)
    service, server, port = await start_service(load(path), hub, clock or Clock(), port, **more)
    portal = Portal(service, hub, port)
    try:
        yield portal
    finally:
        server.stop()
        await server.close_all_connections()
        await portal.client.aclose()
        await service.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def portal(tmp_path: Path, sites: dict[str, FakeSite], clock: Clock) -> AsyncIterator[Portal]:
    """A portal of three sites that are up."""
    async with portal_of(write_portal(tmp_path, sites), clock) as running:
        await running.until(grenoble="up", reims="up", paris_saclay="up")
        yield running

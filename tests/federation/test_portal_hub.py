"""A real portal's hub that starts the real service by itself: login in between, no servers, the operator's commands."""

import asyncio
import html
import json
import os
import re
import subprocess
import sys

import httpx
import pytest
from traitlets.config import Config

from jupytercloud_hub.settings.configure import configure
from tests.federation.conftest import write_portal
from tests.support.hub import TestHub, start_hub, stop_hub
from tests.support.ports import free_port

BASE = "/@/space%20word/"
LINK = "go/hub/user-redirect/lab/tree/premiers-pas.ipynb?reset&x=1%2F2&p=a%20b"
PEOPLE = {
    "marie": {
        "home_organization": "univ-grenoble-alpes.fr",
        "person": "marie@uga",
        "affiliations": ["member"],
        "language": "fr",
    },
    "paul": {"home_organization": "nowhere.example", "person": "paul@x"},
    "operator": {"home_organization": "univ-grenoble-alpes.fr", "person": "op@uga", "admin": True},
}


class ByPath(httpx.AsyncBaseTransport):
    """Stands for the proxy: the service's paths go to the service, all others to the hub, untouched."""

    def __init__(self, service_port: int) -> None:
        self.service_port = service_port
        self.inner = httpx.AsyncHTTPTransport()
        self.seen: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = request.extensions.get("target", request.url.raw_path).decode()
        self.seen.append(f"{request.method} {target}")
        if target.startswith(f"{BASE}services/federation/"):
            request.url = request.url.copy_with(port=self.service_port)
        return await self.inner.handle_async_request(request)


class Browser:
    """Follows redirects by hand, sending each Location's target as it stands."""

    def __init__(self, hub_port: int, service_port: int) -> None:
        self.transport = ByPath(service_port)
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{hub_port}", transport=self.transport, timeout=30)

    async def get(self, target: str, **headers: str) -> httpx.Response:
        request = self.client.build_request("GET", "/", headers=headers)
        request.url = request.url.copy_with(raw_path=target.partition("?")[0].encode())  # cookies have paths
        self.client.cookies.set_cookie_header(request)
        request.extensions["target"] = target.encode()
        response = await self.client.send(request)
        return response

    async def follow(self, response: httpx.Response) -> httpx.Response:
        """Follow redirects within the portal."""
        while response.is_redirect:
            target = response.headers["Location"].removeprefix(f"http://127.0.0.1:{self.transport.service_port}")
            if not target.startswith("/"):
                break
            response = await self.get(target)
        return response

    async def log_in(self, page: httpx.Response, name: str) -> httpx.Response:
        """Send the login form of a page and return the answer."""
        action = html.unescape(re.search(r'<form[^>]* action="([^"]+login[^"]*)"', page.text)[1])
        xsrf = re.search(r'name="_xsrf"\s+value="([^"]+)"', page.text)[1]
        return await self.client.post(action, data={"username": name, "password": "", "_xsrf": xsrf})


class Stand:
    """A hub, the port of the service that it started, and the settings file."""

    def __init__(self, hub: TestHub, service_port: int, file) -> None:
        self.hub, self.service_port, self.file = hub, service_port, file

    def browser(self) -> Browser:
        return Browser(self.hub.hub.port, self.service_port)

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "jupytercloud_hub", *arguments, "--config", str(self.file)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "LANG": "en_GB.UTF-8", **environment},
        )


@pytest.fixture
async def stand(tmp_path, sites, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service_port = free_port()
    # The service is named as the portal's address: without a proxy between, the commands find it there.
    url = f"http://127.0.0.1:{service_port}{BASE}"
    file = write_portal(tmp_path, sites, url)
    text = file.read_text().replace(
        "state: ./state}", f'state: ./state, service_urls: {{federation: "http://127.0.0.1:{service_port}"}}}}'
    )
    file.write_text(text)
    config = Config()
    configure(config, file)
    hub = await start_hub(config, PEOPLE, tmp_path)
    try:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
            while True:
                try:
                    health = (await client.get(f"{url}services/federation/health")).json()
                    if set(health["sites"].values()) == {"up"}:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        yield Stand(hub, service_port, file)
    finally:
        for service in hub._service_map.values():
            if service.managed:
                await service.stop()
        await stop_hub(hub)


async def test_a_login_in_between_keeps_the_link_byte_for_byte(stand, sites):
    browser = stand.browser()
    target = f"{BASE}services/federation/{LINK}"
    page = await browser.follow(await browser.get(target))
    assert page.status_code == 200
    assert 'name="username"' in page.text
    last = await browser.follow(await browser.log_in(page, "marie"))
    assert last.status_code == 302
    assert last.headers["Location"] == sites["grenoble"].url + LINK.removeprefix("go/")
    assert browser.transport.seen[-1] == f"GET {target}"
    again = await browser.get(target)
    assert again.headers["Location"] == sites["grenoble"].url + LINK.removeprefix("go/")


async def test_the_portal_lands_on_its_page_and_starts_no_servers(stand):
    browser = stand.browser()
    page = await browser.follow(await browser.get(f"{BASE}hub/"))
    landed = await browser.follow(await browser.log_in(page, "marie"))
    assert browser.transport.seen[-1] == f"GET {BASE}services/federation/"
    assert landed.status_code == 200
    assert 'lang="fr"' in landed.text
    assert "Grenoble" in landed.text
    await browser.get(f"{BASE}hub/home")
    xsrf = max((c for c in browser.client.cookies.jar if c.name == "_xsrf"), key=lambda c: len(c.path)).value
    spawned = await browser.client.post(
        f"{BASE}hub/api/users/marie/server",
        headers={"X-XSRFToken": xsrf, "Referer": f"http://127.0.0.1:{stand.hub.hub.port}{BASE}hub/home"},
    )
    assert spawned.status_code == 403
    assert not stand.hub.users["marie"].active


async def test_who_is_let_in_nowhere_is_told_so_after_login(stand):
    browser = stand.browser()
    page = await browser.follow(await browser.get(f"{BASE}services/federation/{LINK}"))
    last = await browser.follow(await browser.log_in(page, "paul"))
    assert last.status_code == 403
    assert "aide@portail.example" in last.text


async def test_an_operator_lists_sites_and_asks_why_somebody_is_sent_where(stand):
    browser = stand.browser()
    page = await browser.follow(await browser.get(f"{BASE}services/federation/{LINK}"))
    await browser.follow(await browser.log_in(page, "marie"))
    user = stand.hub.users.add(stand.hub.authenticator and _orm_user(stand.hub, "operator"))
    token = user.new_api_token()

    listed = await asyncio.to_thread(stand.command, "sites", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {site["name"]: site["state"] for site in json.loads(listed.stdout)["sites"]}["grenoble"] == "up"

    why = await asyncio.to_thread(stand.command, "sites", "explain", "--user", "marie", JUPYTERCLOUD_API_TOKEN=token)
    assert why.returncode == 0, why.stderr
    assert "marie → grenoble" in why.stdout
    assert "paris-saclay: No rule allows it to you." in why.stdout

    refused = await asyncio.to_thread(
        stand.command, "sites", "explain", "--user", "marie", JUPYTERCLOUD_API_TOKEN="wrong"
    )
    assert refused.returncode == 1
    homes = await asyncio.to_thread(stand.command, "home-sites", "list", "--json")
    assert [(row["user"], row["person"], row["site"]) for row in json.loads(homes.stdout)] == [
        ("marie", "marie@uga", "grenoble")
    ]


def _orm_user(hub, name):
    from jupyterhub import orm
    from jupyterhub.roles import assign_default_roles

    user = orm.User(name=name, admin=True)
    hub.db.add(user)
    hub.db.commit()
    assign_default_roles(hub.db, entity=user)
    hub.db.commit()
    return user

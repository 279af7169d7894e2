"""The scopes of the portal's service and of a site's agent are the least that work: each is taken away once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from jupyterhub.spawner import Spawner
from traitlets.config import Config

from jupytercloud_hub.contracts.heartbeat import Heartbeat
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.federation.agent import AgentService
from jupytercloud_hub.hubapi import HubApi, HubApiError
from jupytercloud_hub.settings import load
from jupytercloud_hub.settings.configure.federation import AGENT_SCOPES, SERVICE_SCOPES
from jupytercloud_hub.web.context import ServiceContext
from tests.support.hub import TestHub, Visitor, start_hub, stop_hub

PEOPLE = {"marie": {"person": "marie@uga.fr", "home_organization": "uga.fr", "affiliations": [], "groups": ["maths"]}}
SITE = """
site: {name: grenoble, url: "http://127.0.0.1:1/grenoble/", state: ./state}
profiles: [{name: lab, title: Lab}]
spawner: {backend: local, places: {"*": 3}}
federation: {portal: {url: "http://127.0.0.1:1/portal/", share_servers: true}}
"""


class Recorded(Spawner):
    """No process: what answers for it is the test's own server; its state is what our spawners write."""

    port: int

    async def start(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    async def poll(self) -> None:
        return None

    async def stop(self, now: bool = False) -> None:
        """Nothing runs."""

    def get_state(self) -> dict[str, Any]:
        return {"jupytercloud": {"profile": "lab", "options": {}, "resources": {"cpu": 1, "memory": 2**30}}}


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def token(role: str) -> str:
    return "token-of-" + role.replace(":", "-").ljust(40, "x")


def with_each_taken_away(part: str, scopes: tuple[str, ...]) -> dict[str, list[str]]:
    """Return role → scopes: ``<part>`` holds all of them, ``<part>-<scope>`` all but one."""
    without = {f"{part}-{scope}": [other for other in scopes if other != scope] for scope in scopes}
    return {part: list(scopes), **without}


ROLES = {**with_each_taken_away("portal", SERVICE_SCOPES), **with_each_taken_away("agent", AGENT_SCOPES)}


@pytest.fixture
async def hub(tmp_path) -> AsyncIterator[TestHub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    config = Config()
    config.JupyterHub.spawner_class = type("OnPort", (Recorded,), {"port": server.server_address[1]})
    config.JupyterHub.services = [{"name": role.replace(":", "-"), "api_token": token(role)} for role in ROLES]
    config.JupyterHub.load_roles = [
        {"name": "r-" + role.replace(":", "-"), "services": [role.replace(":", "-")], "scopes": scopes}
        for role, scopes in ROLES.items()
    ]
    app = await start_hub(config, PEOPLE, tmp_path)
    yield app
    await stop_hub(app)
    server.shutdown()


async def as_the_portal_sees(hub: TestHub, role: str) -> str:
    """Return what `explain` would know of marie with this role's token: her organization and groups."""
    async with HubApi(hub.hub.api_url, token(role)) as api:
        model = await api.user("marie")
    person = Person.from_hub_user(model or {"name": ""})
    return f"{person.home_organization} {list(person.groups)}"


async def as_the_agent_tells(hub: TestHub, role: str, folder: Any) -> str:
    """Return what a heartbeat with this role's token says to the portal: whose servers run, and of which profile."""
    (folder / "site.yaml").write_text(SITE)
    prefix, api = "/grenoble/services/agent/", hub.hub.api_url
    context = ServiceContext("agent", prefix, ("127.0.0.1", 0), api, token(role), "/grenoble/", b"0" * 32)
    agent = AgentService(load(folder / "site.yaml"), context)
    sent: list[Heartbeat] = []

    def portal(request: httpx.Request) -> httpx.Response:
        sent.append(Heartbeat.model_validate_json(request.content))
        return httpx.Response(200, json={"state": "up"})

    async with (
        HubApi(api, token(role)) as agent.hub,
        httpx.AsyncClient(base_url=agent.portal.url, transport=httpx.MockTransport(portal)) as agent.client,
    ):
        try:
            await agent.send()
        except HubApiError as error:
            return f"no heartbeat: {error.status}"
    (beat,) = sent
    return f"{beat.running} running, {[(one.person, one.profile) for one in beat.servers or ()]}"


async def test_each_scope_of_the_portals_service_and_of_the_agent_is_needed_and_none_lacks(hub, tmp_path):
    async with Visitor(hub) as marie:
        await marie.log_in("marie")
        await hub.users["marie"].spawn()
    portal = {role: await as_the_portal_sees(hub, role) for role in ROLES if role.startswith("portal")}
    assert portal == {
        "portal": "uga.fr ['maths']",
        "portal-read:users:name": "None ['maths']",
        "portal-read:users:groups": "uga.fr []",
    }
    agent = {role: await as_the_agent_tells(hub, role, tmp_path) for role in ROLES if role.startswith("agent")}
    assert agent == {
        "agent": "1 running, [('marie@uga.fr', 'lab')]",
        "agent-list:users": "no heartbeat: 403",
        "agent-read:servers": "0 running, []",
        "agent-admin:server_state": "1 running, [('marie@uga.fr', '')]",
    }

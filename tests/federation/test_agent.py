"""The site's agent: what it tells, what it keeps to itself, and that the portal may be away."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from jupytercloud_hub.contracts.heartbeat import Heartbeat, Notice
from jupytercloud_hub.federation import signing
from jupytercloud_hub.federation.agent import (
    AgentService,
    Notices,
    compose,
    good_for,
    read_notices,
    site_key,
    write_notices,
)
from jupytercloud_hub.hubapi import HubApiError
from jupytercloud_hub.settings import load
from jupytercloud_hub.settings.federation import FederationSettings
from jupytercloud_hub.web.context import ServiceContext
from tests.federation.conftest import portal_of, user, write_portal

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SITE = """
site: {{name: grenoble, url: "http://127.0.0.1:1/grenoble/", state: ./state-grenoble}}
profiles:
  - {{name: lab, title: Lab, image: x, resources: {{cpu: 1, memory: 1 GiB}}}}
  - {{name: gpu, title: GPU, image: x, resources: {{cpu: 1, memory: 1 GiB, gpu: 1}}}}
spawner: {{backend: local, gpus: {{a100: {{most: 1, total: 2}}}}, places: {{"*": 3, gpu: 1}}}}
federation: {{portal: {{url: "http://127.0.0.1:1/portal/", share_servers: {share}}}}}
"""


def site_settings(tmp_path, share=False):
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(share=str(share).lower()))
    return load(file)


def with_server(name: str, profile: str, gpu: int = 0) -> dict:
    record = {"profile": profile, "options": {}, "resources": {"cpu": 1, "memory": 2**30, "gpu": gpu}}
    return user(name, servers={"": {"name": "", "started": "2026-11-20T11:00:00Z", "state": {"jupytercloud": record}}})


def beat_of(settings, users, notices=None):
    return compose(users, settings, settings.federation.portal, notices or Notices(), NOW, "6.1.1")


def test_free_places_are_counted_from_the_servers_that_run(tmp_path):
    beat = beat_of(site_settings(tmp_path), [with_server("a", "lab"), with_server("b", "gpu", 1)])
    assert beat.running == 2
    assert beat.free == {"*": 1, "gpu": 0}
    assert beat.gpus == {"a100": 1}
    assert beat.profiles == ("lab", "gpu")
    assert not beat.full


def test_a_profile_that_asks_for_what_the_site_does_not_have_is_not_offered(tmp_path):
    profiles = [
        {"name": "lab", "title": "Lab"},
        {"name": "gpu", "title": "GPU", "resources": {"gpu": 1, "gpu_type": "a100"}},
    ]
    settings = type(site_settings(tmp_path)).model_validate(
        {**site_settings(tmp_path).model_dump(mode="json"), "profiles": profiles, "spawner": {"backend": "local"}}
    )
    assert beat_of(settings, []).profiles == ("lab",)


def test_nothing_of_a_person_leaves_the_site_unless_it_was_switched_on(tmp_path):
    users = [with_server("marie", "lab")]
    quiet = beat_of(site_settings(tmp_path), users).model_dump_json()
    assert "marie" not in quiet
    shared = beat_of(site_settings(tmp_path, share=True), users)
    assert [(server.person, server.profile) for server in shared.servers] == [("marie@univ-grenoble-alpes.fr", "lab")]


def test_a_server_without_a_record_counts_too(tmp_path):
    stranger = user("x", servers={"": {"name": "", "state": {}}})
    assert beat_of(site_settings(tmp_path), [stranger]).free["*"] == 2


def test_what_the_operator_announced_is_kept_in_the_state_folder(tmp_path):
    assert read_notices(tmp_path) == Notices()
    notices = Notices(drain=Notice(message="Travaux", until=NOW + timedelta(hours=1)))
    write_notices(tmp_path, notices)
    assert read_notices(tmp_path) == notices
    (tmp_path / "site-notices.json").write_text("{")
    assert read_notices(tmp_path) == Notices()


@dataclass
class SiteHub:
    owners: list[str]
    away: bool = False
    asked: list[str] = field(default_factory=list)


@pytest.fixture
async def hub_api(monkeypatch):
    """The site's hub, which tells of two servers; gives what it was asked, and may be made to tell of others."""
    hub = SiteHub(["a", "b"])

    def answer(request: httpx.Request) -> httpx.Response:
        hub.asked.append(request.url.path.rpartition("/")[2])
        if hub.away:
            return httpx.Response(403)
        if request.url.path.endswith("/users"):
            items = [with_server(name, "lab") for name in hub.owners]
            return httpx.Response(200, json={"items": items, "_pagination": {"next": None}})
        return httpx.Response(200, json={"version": "6.1.1"})

    from jupytercloud_hub.federation import agent

    real = agent.HubApi
    monkeypatch.setattr(agent, "HubApi", lambda *a, **k: real(*a, **k, transport=httpx.MockTransport(answer)))
    return hub


def agent_of(settings, transport=None) -> AgentService:
    context = ServiceContext(
        "agent",
        "/grenoble/services/agent/",
        ("127.0.0.1", 0),
        "http://127.0.0.1:1/hub/api",
        "t",
        "/grenoble/",
        b"k" * 32,
    )
    return AgentService(settings, context, transport=transport)


async def test_a_heartbeat_goes_from_the_agent_to_the_portal(tmp_path, sites, hub_api, monkeypatch):
    settings = site_settings(tmp_path)
    file = write_portal(tmp_path, sites)
    key = signing.public_text(site_key(settings))
    file.write_text(file.read_text().replace("name: grenoble, title", f'name: grenoble, key: "{key}", title'))
    async with portal_of(file) as portal:

        class ToPortal(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request):
                request.url = request.url.copy_with(port=portal.port)
                return await super().handle_async_request(request)

        await portal.until(grenoble="up")
        agent = agent_of(settings, ToPortal())
        await agent.start()
        try:
            assert await agent.send() == "the portal shows this site as up"
            beat: Heartbeat = portal.service.board.known["grenoble"].heartbeat
            assert (beat.running, beat.free["*"]) == (2, 1)
            assert beat.versions["jupyterhub"] == "6.1.1"
            write_notices(settings.state_folder, Notices(drain=Notice()))
            assert await agent.send() == "the portal shows this site as draining"
        finally:
            await agent.stop()


async def test_a_portal_that_is_away_is_told_in_health_and_harms_nothing(tmp_path, hub_api):
    agent = agent_of(site_settings(tmp_path))
    await agent.start()
    try:
        with pytest.raises(httpx.ConnectError):
            await agent.send()
        healthy, detail = await agent.health()
        assert healthy
        assert detail["sent_at"] is None
    finally:
        await agent.stop()


def test_the_more_servers_run_the_longer_the_hub_is_left_alone_but_never_until_a_heartbeat_expires():
    assert good_for(0) == 0
    assert good_for(100) == pytest.approx(3)
    assert good_for(1000) == pytest.approx(30)
    assert good_for(100_000) == 45 < FederationSettings().health.heartbeat_expires.total_seconds()


async def test_heartbeats_of_a_full_site_do_not_ask_its_hub_for_all_servers_each_time(tmp_path, hub_api):
    agent = agent_of(site_settings(tmp_path), httpx.MockTransport(lambda request: httpx.Response(200, json={})))
    await agent.start()
    try:
        hub_api.owners = [f"person-{number}" for number in range(100)]
        for _ in range(3):
            await agent.send()
        assert hub_api.asked.count("users") == 1
        hub_api.away = True
        with pytest.raises(HubApiError):
            await agent.send()  # a heartbeat says that the hub answers
        hub_api.away, hub_api.owners = False, ["she-who-was-first-after-its-return"]
        await agent.send()
        assert hub_api.asked.count("users") == 2
    finally:
        await agent.stop()

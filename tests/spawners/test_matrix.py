"""The access matrix: identities × profiles × ways in. Nobody gets what the catalogue does not give, by any way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from jupyterhub.spawner import Spawner
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from traitlets import Unicode
from traitlets.config import Config

from jupytercloud_hub.profiles.resolve import Resolved
from jupytercloud_hub.spawners.base import ProfileMixin
from tests.support.hub import TestHub, Visitor

from .test_local import rest, settled

PEOPLE: dict[str, dict[str, Any]] = {
    "physicist": {"home_organization": "univ-a.fr", "affiliations": ["staff@univ-a.fr"], "groups": ["physics"]},
    "student": {"home_organization": "univ-a.fr", "affiliations": ["student@univ-a.fr"], "groups": []},
    "guest": {"groups": []},
    "admin": {"admin": True, "groups": []},
}
IMAGE = {
    "name": "image",
    "title": "Image",
    "image": True,
    "choices": ["ours:1"],
    "text": {"pattern": r"[\w./:-]+", "registries": ["registry.fr/team"]},
}
PROFILES: list[dict[str, Any]] = [
    {"name": "open", "title": "Open"},
    {"name": "group", "title": "Group", "access": {"groups": ["physics"]}},
    {"name": "staff", "title": "Staff", "access": {"affiliations": ["staff"], "organizations": ["univ-a.fr"]}},
    {"name": "site", "title": "Elsewhere", "access": {"sites": ["reims"]}},
    {"name": "hidden", "title": "Hidden", "access": {"groups": ["physics"], "hidden": True}},
    {"name": "gpu", "title": "GPU", "resources": {"gpu": 1}},
    {"name": "big", "title": "Big", "options": [{"name": "size", "title": "S", "choices": ["s", "l"]}]},
    {"name": "own", "title": "Own image", "options": [IMAGE]},
    {"name": "base", "title": "Base", "abstract": True},
]
ALLOWED = {
    "physicist": {"open", "group", "staff", "hidden", "big", "own"},
    "student": {"open", "big", "own"},
    "guest": {"open", "big", "own"},
    "admin": {"open", "big", "own"},
}
WAYS = ("form", "rest", "link", "saved", "tampered")
TAMPERED: list[dict[str, Any]] = [
    {"profile": "big", "option-size": "xl"},
    {"profile": "open", "option-image": "registry.fr/team/x", "option-nothing": "x"},
    {"profile": "own", "option-image": "evil.org/team/x"},
    {"profile": "own", "option-image": "registry.fr/team/x\nRUN"},
    {"profile": "own", "option-image": "registry.fr/team/../evil"},
    {"profile": ["open", "group"]},
    {"profile": "GROUP"},
    {"profile": "group "},
    {"profile": "base"},
    {"profile": ""},
    {"image": "evil.org/x"},
]


class Instant(Spawner):
    """An engine whose servers are there at once: one answering port for all of them."""

    running = False

    async def start(self) -> tuple[str, int]:
        self.running = True
        return "127.0.0.1", PORT[0]

    async def stop(self, now: bool = False) -> None:
        self.running = False

    async def poll(self) -> int | None:
        return None if self.running else 0


class InstantSpawner(ProfileMixin, Instant):
    backend = "instant"
    image = Unicode("ours:1", config=True)

    def apply(self, resolved: Resolved) -> None:
        super().apply(resolved)
        if resolved.image:
            self.replace("image", resolved.image)


class Answer(RequestHandler):
    def get(self) -> None:
        self.set_header("X-JupyterHub-Version", "6.1.1")


PORT = [0]


@pytest.fixture
async def config(config: Config) -> AsyncIterator[Config]:
    server = HTTPServer(Application([(".*", Answer)]))
    sock, PORT[0] = bind_unused_port()
    server.add_socket(sock)
    config.JupyterHub.spawner_class = InstantSpawner
    config.ProfileMixin.profiles = PROFILES
    yield config
    server.stop()
    await server.close_all_connections()


async def attempt(app: TestHub, visitor: Visitor, name: str, profile: str, way: str) -> bool:
    """Try to start a profile and return whether a server of that profile was started."""
    if way == "rest":
        await rest(app, name, {"profile": profile, "options": {}})
    elif way == "form":
        await visitor.get("spawn")
        await visitor.post_form("spawn", {"profile": profile})
    elif way == "tampered":
        await visitor.get("spawn")
        extra = {"option-size@big": "l", "_profile": "open", "image": "evil.org/x"}
        await visitor.post_form("spawn", {"profile": profile, **extra})
    elif way == "link":
        await visitor.get(f"spawn?opt-profile={profile}")
        await visitor.get(f"spawn?profile={profile}")
        assert not app.users[name].spawners[""].active, "a link started a server"
        return False
    elif way == "saved":
        spawner = app.users[name].get_or_create_spawner("", "")
        spawner.orm_spawner.user_options = {"profile": profile, "options": {}}
        app.db.commit()
        await rest(app, name, None)
    spawner = await settled(app, name)
    if not spawner.active:
        return False
    started = spawner.orm_spawner.state["jupytercloud"]["profile"]
    assert started == profile
    assert spawner.image == "ours:1"
    await app.users[name].stop()
    return True


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PEOPLE)
async def test_each_way_gives_what_the_catalogue_gives_and_nothing_else(hub: Any, name: str) -> None:
    app = await hub(PEOPLE)
    wrong = []
    async with Visitor(app) as visitor:
        await visitor.log_in(name)
        for profile in [entry["name"] for entry in PROFILES]:
            for way in WAYS:
                given = await attempt(app, visitor, name, profile, way)
                wanted = profile in ALLOWED[name] and way != "link"
                if given != wanted:
                    wrong.append((name, profile, way, given))
    assert wrong == []


async def test_tampered_form_starts_nothing(hub: Any) -> None:
    app = await hub(PEOPLE)
    async with Visitor(app) as visitor:
        await visitor.log_in("student")
        await visitor.get("spawn")
        for data in TAMPERED:
            answer = await visitor.post_form("spawn", data)
            assert 400 <= answer.status_code < 500, data
            assert not app.users["student"].spawners[""].active, data

"""One person at three hubs of a federation, at two real providers whose ``sub`` differs from hub to hub."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.federation.agent import Notices, compose
from jupytercloud_hub.settings import load
from tests.federation.conftest import KnownHub, Portal, portal_of
from tests.support.login import BASE_PATH, Browser, client_metadata, renater_hub
from tests.support.ports import free_port
from tests.support.provider import provider

ORGANIZATION = {"name": "univ-grenoble.example", "title": {"fr": "Grenoble", "en": "Grenoble"}}


def somebody(login: str, **claims: Any) -> dict[str, Any]:
    return {
        "login": login,
        "password": f"{login}-demo",
        "organization": ORGANIZATION["name"],
        "claims": {"name": login.title(), **claims},
    }


PEOPLE = {
    "organizations": [ORGANIZATION],
    "people": [
        somebody(
            "alice",
            voperson_id="4242@federation.example",
            eduperson_entitlement=["urn:geant:example.org:group:gpu#portal", "urn:mace:of:nobodys:business"],
        ),
        somebody("nora", voperson_id=None),
    ],
}
TRAITS = {
    "allow_all": True,
    "username_from": "sub",
    "person_from": "voperson_id",
    "published_entitlements": ["urn:geant:example.org:group:gpu*"],
    "scope": ["openid", "profile", "email", "eduperson", "voperson"],
}
PORTAL = """
site: {{name: portail, role: portal, url: "http://127.0.0.1:{port}/portal/", state: ./state}}
federation:
  sites:
    - {{name: same-provider, title: Grenoble, url: "https://grenoble.example/"}}
    - {{name: other-provider, title: Reims, url: "https://reims.example/"}}
"""
SITE = """
site: {{name: {name}, url: "https://{name}.example/", state: ./state-{name}}}
profiles: [{{name: lab, title: {{fr: Carnet de calcul, en: Notebook}}}}]
federation: {{portal: {{url: "http://127.0.0.1:1/portal/", share_servers: true}}}}
"""


async def logins(folder: Path, issuer: str, client: str, port: int) -> dict[str, dict[str, Any]]:
    """Log both in at a hub and return what it then knows of them, by login."""
    folder.mkdir()
    known = {}
    traits = {**TRAITS, "client_id": client}
    async with renater_hub(folder, issuer, port=port, traits=traits) as hub:
        for login in ("alice", "nora"):
            async with Browser(hub) as browser:
                await browser.log_in(login, ORGANIZATION["name"], stop="/spawn")
            (user,) = [one for one in hub.users.values() if one.user_info["name"] == login.title()]
            known[login] = {"name": user.name, "user_info": user.user_info, "groups": []}
    return known


def clients(*ports: tuple[str, int], **more: Any) -> list[dict[str, Any]]:
    return [client_metadata(f"http://127.0.0.1:{port}{BASE_PATH}hub/", client_id=name, **more) for name, port in ports]


async def test_one_identifier_joins_her_servers_and_who_has_none_is_told_so(tmp_path: Path) -> None:
    portal_port, same_port, other_port = free_port(), free_port(), free_port()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    pairwise = clients(("portal", portal_port), ("same", same_port), subject_type="pairwise")
    async with provider(tmp_path / "one", clients=pairwise, people=PEOPLE) as issuer:
        at_portal = await logins(tmp_path / "portal", issuer, "portal", portal_port)
        at_same = await logins(tmp_path / "same", issuer, "same", same_port)
    async with provider(tmp_path / "two", clients=clients(("other", other_port)), people=PEOPLE) as another:
        assert another != issuer
        at_other = await logins(tmp_path / "other", another, "other", other_port)

    hubs = (at_portal, at_same, at_other)
    assert len({hub["alice"]["name"] for hub in hubs}) == 3  # another sub, and so another username, at each hub
    assert {hub["alice"]["user_info"]["jupytercloud"]["person"] for hub in hubs} == {"4242@federation.example"}
    assert {hub["nora"]["user_info"]["jupytercloud"]["person"] for hub in hubs} == {None}
    published = at_portal["alice"]["user_info"]["jupytercloud"]
    assert published["entitlements"] == ["urn:geant:example.org:group:gpu#portal"]  # those that rules name, no others
    assert Person.from_hub_user(at_portal["alice"]).entitlements == ("urn:geant:example.org:group:gpu#portal",)
    assert "entitlements" not in at_portal["nora"]["user_info"]["jupytercloud"]

    file = tmp_path / "jupytercloud.yaml"
    file.write_text(PORTAL.format(port=free_port()))
    async with portal_of(file) as portal:
        tell(tmp_path, portal, "same-provider", at_same)
        tell(tmp_path, portal, "other-provider", at_other)
        portal.hub.people.update(at_portal)
        page = (await portal.get("", person="alice", **{"accept-language": "fr"})).text
        assert page.count("<td>Carnet de calcul</td>") == 2
        assert "ne fournit pas d'identifiant" not in page.replace("&#39;", "'")
        page = (await portal.get("", person="nora", **{"accept-language": "en"})).text
        assert "gives no identifier that is the same at every site" in page
        assert "Notebook" not in page


def tell(folder: Path, portal: Portal, site: str, people: dict[str, dict[str, Any]]) -> None:
    """Let a site's agent say what runs there: one server of each."""
    file = folder / f"{site}.yaml"
    file.write_text(SITE.format(name=site))
    settings = load(file)
    record = {"profile": "lab", "options": {}, "resources": {"cpu": 1, "memory": 2**30}}
    server = {"name": "", "started": "2026-11-20T11:00:00Z", "state": {"jupytercloud": record}}
    users = [{**model, "servers": {"": server}} for model in people.values()]
    link = settings.federation.portal if settings.federation else None
    assert link is not None
    portal.service.board.heard(compose(users, settings, link, Notices(), datetime.now(UTC), "6.1.1"))
    assert isinstance(portal.hub, KnownHub)

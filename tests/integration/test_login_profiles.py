"""A profile that demands two factors: by the form, by the REST API, by a link; and the way there and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from jupyterhub.spawner import Spawner

from jupytercloud_hub.spawners.base import ProfileMixin
from tests.integration.test_login_renater import TRAITS
from tests.support.login import Browser, hub_and_provider

PROFILES: list[dict[str, Any]] = [
    {"name": "open", "title": "Open"},
    {"name": "secret", "title": "Secret", "access": {"mfa": True}},
]
ALICE, BENOIT = "alice@univ-grenoble.example", "benoit@univ-grenoble.example"


class Idle(Spawner):
    """Starts at once, and says nothing."""

    async def start(self) -> tuple[str, int]:
        return "127.0.0.1", 1

    async def stop(self, now: bool = False) -> None: ...

    async def poll(self) -> int | None:
        return None if self.server else 0


class IdleProfiles(ProfileMixin, Idle):
    """The catalogue on an engine that needs nothing."""

    backend = "local"
    profiles = PROFILES


async def by_rest(hub: Any, username: str, profile: str) -> httpx.Response:
    token = hub.users[username].new_api_token()
    address = f"http://127.0.0.1:{hub.hub.port}{hub.hub.base_url}api/users/{username}/server"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.post(address, json={"profile": profile}, headers={"Authorization": f"token {token}"})


async def test_a_profile_that_demands_two_factors_is_refused_by_every_way_and_offers_the_stronger_login(
    tmp_path: Path,
) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        hub.users.settings["spawner_class"] = IdleProfiles
        link = "spawn?opt-profile=secret&next=%2Fhub%2Fuser-redirect%2Flab%2Ftree%2Fa.ipynb"
        page = await browser.log_in("benoit", "univ-grenoble.example", address=link)
        assert page.status_code == 200, page.text
        assert re.search(r'id="jc-secret" value="secret"[^>]* disabled', page.text), (
            "greyed, though the link asks for it"
        )
        assert "Demande une connexion avec deux facteurs." in page.text
        (offer,) = set(re.findall(r'href="([^"]*oidc/step-up[^"]*)"', page.text))

        answer = await by_rest(hub, BENOIT, "secret")
        assert answer.status_code == 403
        assert "deux facteurs" in answer.json()["message"]
        form = {"profile": "secret", "_xsrf": browser.http.cookies.get("_xsrf", path=hub.hub.base_url) or ""}
        posted = await browser.http.post(str(page.url), data=form)
        assert posted.status_code == 403, posted.text[:300]
        assert "deux facteurs" in posted.text
        assert "oidc/step-up" in posted.text
        assert not hub.users[BENOIT].active

        asked = await browser.http.get(urljoin(str(page.url), offer), headers={"Referer": str(page.url)})
        begun = await browser.http.get(urljoin(str(page.url), asked.headers["location"]))
        request = parse_qs(urlsplit(begun.headers["location"]).query)
        assert "refeds.org/profile/mfa" in request["claims"][0]
        back = parse_qs(urlsplit(asked.headers["location"]).query)["next"][0]
        assert urlsplit(back).path == urlsplit(str(page.url)).path, "back to the form that she came from"
        assert parse_qs(urlsplit(back).query) == {
            "opt-profile": ["secret"],
            "next": ["/hub/user-redirect/lab/tree/a.ipynb"],
        }


async def test_who_logged_in_with_two_factors_starts_it_until_they_no_longer_count(tmp_path: Path) -> None:
    traits = {**TRAITS, "mfa_max_age": 600.0}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, _), Browser(hub) as browser:
        hub.users.settings["spawner_class"] = IdleProfiles
        page = await browser.log_in("alice", "univ-grenoble.example", address="oidc/step-up?next=&profile=secret")
        assert urlsplit(str(page.url)).query == "opt-profile=secret", "back at the form, filled in"
        assert re.search(r'id="jc-secret" value="secret"[^>]* checked', page.text)
        user = hub.users[ALICE]
        assert user.user_info["jupytercloud"]["mfa_until"] > 0
        assert (await by_rest(hub, ALICE, "secret")).status_code in (201, 202)
        assert user.active
        await user.stop("")
        hub.authenticator.mfa_max_age = -1.0  # as if the time had gone by: the refresh before the start sees it
        user._auth_refreshed = None
        assert (await by_rest(hub, ALICE, "secret")).status_code == 403


async def test_nobody_is_led_elsewhere_by_the_page_that_a_request_says_it_comes_from(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, _), Browser(hub) as browser:
        spawn = f"{hub.hub.base_url}spawn"
        host = urlsplit(browser.base).netloc
        for referer in (
            "https://evil.example/hub/spawn",
            f"http://{host}/elsewhere",
            f"http://{host}//evil.example",
            "",
        ):
            answer = await browser.http.get(f"{browser.base}oidc/step-up?profile=x", headers={"Referer": referer})
            assert parse_qs(urlsplit(answer.headers["location"]).query)["next"] == [f"{spawn}?opt-profile=x"], referer

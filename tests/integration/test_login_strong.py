"""Logins with two factors: for administrators, and for what is open to a group of people who have one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.integration.test_login_renater import TRAITS
from tests.support.login import Browser, hub_and_provider

MFA = "https://refeds.org/profile/mfa"
ALICE = "alice@univ-grenoble.example"


async def test_an_administrator_comes_in_with_two_factors_only(tmp_path: Path) -> None:
    admins = {ALICE, "benoit@univ-grenoble.example"}
    traits = {**TRAITS, "mfa_for_admins": True, "admin_users": admins}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, issuer):
        async with Browser(hub) as browser:
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
            assert (await browser.user() or {})["admin"], "her first login had two factors already"
        async with Browser(hub) as browser:
            page = await browser.log_in("benoit", "univ-grenoble.example")
            asked = [parse_qs(urlsplit(one).query) for one in browser.visited if one.startswith(f"{issuer}/auth?")]
            essential = json.loads(asked[-1]["claims"][0])["id_token"]["acr"]
            assert essential == {"essential": True, "values": [MFA]}
            for _ in range(2):
                assert page.status_code == 200
                assert str(page.url).startswith(f"{issuer}/interaction/"), "the provider asks for more than she gave"
                assert await browser.user() is None
                page = await browser.authenticate(page, "benoit", "univ-grenoble.example")
            given_up = await browser.get(f"{page.url}?cancel")
            assert given_up.status_code == 403
            assert "provider-access-denied" in given_up.text
            assert await browser.user() is None
        async with Browser(hub) as browser:
            await browser.log_in("chloe", "univ-grenoble.example", stop="/spawn")
            assert await browser.user(), "who is no administrator needs none"


async def test_a_weak_login_in_answer_to_a_demand_for_a_strong_one_is_refused(tmp_path: Path) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS) as (hub, issuer), Browser(hub) as browser:
        await browser.log_in("benoit", "univ-grenoble.example", stop="/spawn")
        page = await browser.get("oidc/step-up?next=/x", stop=f"{issuer}/auth?")
        parts = urlsplit(page.headers["location"])
        weak = "&".join(one for one in parts.query.split("&") if not one.startswith(("claims=", "max_age=")))
        page = await browser.get(parts._replace(query=weak).geturl())
        assert page.status_code == 403
        assert "acr" in page.text


async def test_the_group_of_two_factors_comes_and_goes_with_the_login_s_age(tmp_path: Path) -> None:
    traits = {**TRAITS, "mfa_group": "two-factors", "recheck_interval": 0.0}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, _):
        async with Browser(hub) as browser:
            await browser.log_in("benoit", "univ-grenoble.example", stop="/spawn")
            names = {group.name for group in hub.users["benoit@univ-grenoble.example"].groups}
            assert names == {"grenoble"}
        async with Browser(hub) as browser:
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
            user = hub.users[ALICE]
            assert "two-factors" in {group.name for group in user.groups}
            hub.authenticator.mfa_max_age = 0.5
            time.sleep(1.6)
            answer = await hub.authenticator.refresh_user(user)
            assert isinstance(answer, dict)
            assert "two-factors" not in answer["groups"]

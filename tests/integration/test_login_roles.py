"""Roles at a real hub: given at login, taken away at a refresh, and what they allow goes with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyterhub import orm

from tests.integration.test_login_lasting import ALICE, World
from tests.integration.test_login_renater import GRENOBLE
from tests.support.login import Browser

URN = "urn:geant:vo.example:group:helpers"
TRAITS: dict[str, Any] = {
    "institutions": [{**GRENOBLE, "roles": [{"name": "helpers", "entitlements": [URN], "scopes": ["list:users"]}]}],
    "roles_from": ["affiliation", "entitlement"],
    "auth_refresh_age": 1,
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def users_with(hub: Any, token: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        address = f"http://127.0.0.1:{hub.hub.port}{hub.hub.base_url}api/users"
        answer = await client.get(address, headers={"Authorization": f"token {token}"})
        return len(answer.json()) if answer.status_code == 200 else -answer.status_code


def names(hub: Any, user: str = ALICE) -> set[str]:
    hub.db.expire_all()
    return {role.name for role in orm.User.find(hub.db, user).roles}


async def test_a_role_is_given_at_login_and_taken_away_at_the_next_refresh(world: World) -> None:
    with_entitlement = {"userinfo": lambda claims: {**claims, "eduperson_entitlement": [URN]}}
    async with world.running(), world.hub(**TRAITS) as hub, Browser(hub) as browser:
        scopes = set(orm.Role.find(hub.db, "user").scopes)
        with world.proxy.changing(**with_entitlement):
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        made = "entitlement." + URN.replace(":", "~3a")
        affiliations = {"affiliation.faculty", "affiliation.member"}
        assert names(hub) == {"user", "helpers", made, *affiliations}
        assert orm.Role.find(hub.db, "helpers").managed_by_auth
        token = hub.users[ALICE].new_api_token(scopes=["inherit"])
        assert await users_with(hub, token) >= 1
        await asyncio.sleep(1.1)
        assert await browser.user(), "a request, so her rights are asked for anew"
        kept = names(hub)
        assert {"user", *affiliations} <= kept
        assert not kept & {"helpers", made}
        assert await users_with(hub, token) in (-403, 1), "her token lost what the role gave"
        assert set(orm.Role.find(hub.db, "user").scopes) == scopes, "JupyterHub's own roles are as they were"


async def test_an_administrator_stays_one(world: World) -> None:
    async with world.running(), world.hub(**TRAITS, admin_users={ALICE}) as hub, Browser(hub) as browser:
        await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        assert {"user", "admin"} <= names(hub)
        hub.authenticator.admin_users = set()  # "not said" is not "no": JupyterHub keeps her an administrator
        await asyncio.sleep(1.1)
        assert (await browser.user() or {})["admin"]
        assert "admin" in names(hub)

"""What happens to a login afterwards: refreshes, rights that are lost, logouts from afar, restarts of the hub."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from jupyterhub import orm
from jupyterhub.objects import Server
from jupyterhub.spawner import Spawner

from jupytercloud_hub.auth.oidc.tokens import LOGOUT_EVENT
from tests.integration.test_login_renater import TRAITS
from tests.support.hub import TestHub
from tests.support.login import BASE_PATH, CLIENT_ID, Browser, client_metadata, renater_hub
from tests.support.ports import free_port
from tests.support.provider import provider
from tests.support.tampering import TamperingProxy

ALICE = "alice@univ-grenoble.example"


class IdleSpawner(Spawner):
    """A server that is only an entry in the hub: it starts at once and answers nothing."""

    async def start(self) -> tuple[str, int]:
        return "127.0.0.1", 1

    async def stop(self, now: bool = False) -> None: ...

    async def poll(self) -> int | None:
        return None if self.server else 0


class World:
    """A provider that goes on, a proxy that can change what it says, and a hub that can be restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{BASE_PATH}hub/"
        self.proxy = TamperingProxy(folder / "keys.json")
        self.issuer = ""

    @contextlib.asynccontextmanager
    async def running(self, client: dict[str, Any] | None = None, **config: Any) -> AsyncIterator[World]:
        metadata = client_metadata(
            self.url, backchannel_logout_uri=f"{self.url}oidc/backchannel-logout", **(client or {})
        )
        async with (
            provider(self.folder, clients=[metadata], keys=str(self.folder / "keys.json"), **config) as self.issuer,
            self.proxy.running(),
        ):
            yield self

    @contextlib.asynccontextmanager
    async def hub(self, **traits: Any) -> AsyncIterator[TestHub]:
        proxied = {"proxy_host": "127.0.0.1", "proxy_port": self.proxy.port}
        everything = {**TRAITS, "http_request_kwargs": proxied, "recheck_interval": 0.0, **traits}
        async with renater_hub(self.folder, self.issuer, port=self.port, traits=everything) as hub:
            hub.users.settings["spawner_class"] = IdleSpawner
            yield hub

    def without_affiliation(self) -> Any:
        """Let the provider say that nobody is at her organization any longer."""
        return self.proxy.changing(userinfo=lambda a: {**a, "eduperson_scoped_affiliation": []})

    def logout_token(self, sub: str | None, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": f"jti-{time.time_ns()}",
            "sub": sub,
            "events": {LOGOUT_EVENT: {}},
            **changes,
        }
        return self.proxy.sign({name: value for name, value in claims.items() if value is not None})

    async def send_logout(self, token: str | None) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            form = {} if token is None else {"logout_token": token}
            return await client.post(f"{self.url}oidc/backchannel-logout", data=form)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def log_in(browser: Browser, person: str = "alice") -> None:
    await browser.log_in(person, "univ-grenoble.example", stop="/spawn")
    assert await browser.user()


async def with_running_server(hub: TestHub, name: str = ALICE) -> str:
    """Give a person a running server; return its token's owner's name for a token of her own."""
    user = hub.users[name]
    spawner = user.spawner
    spawner.server = None
    token = user.new_api_token(note="of her own")
    server = orm.Server(base_url=user.base_url)
    hub.db.add(server)
    hub.db.commit()
    spawner.server = Server(orm_server=server)
    spawner.orm_spawner.server = server
    spawner.api_token = user.new_api_token(note="Server at /")
    hub.db.commit()
    assert user.active
    return str(token)


async def with_token(hub: TestHub, token: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        address = f"http://127.0.0.1:{hub.hub.port}{hub.hub.base_url}api/user"
        return (await client.get(address, headers={"Authorization": f"token {token}"})).status_code


async def test_an_access_token_that_ended_is_renewed_and_a_rotated_refresh_token_is_kept(world: World) -> None:
    async with world.running(ttl={"AccessToken": 2, "RefreshToken": 20}), world.hub() as hub, Browser(hub) as browser:
        await log_in(browser)
        user = hub.users[ALICE]
        first = await user.get_auth_state()
        await asyncio.sleep(14.5)  # the access token has ended, and the provider rotates after 70 % of a lifetime
        answer = await hub.authenticator.refresh_user(user)
        assert isinstance(answer, dict)
        second = await user.get_auth_state()
        assert second["access_token"] != first["access_token"]
        assert second["refresh_token"] != first["refresh_token"], "the provider rotates, and the new one was stored"
        assert second["id_token"] != first["id_token"]
        await asyncio.sleep(2.5)
        assert isinstance(await hub.authenticator.refresh_user(user), dict), "the rotated one is good"


async def test_two_refreshes_at_once_use_the_refresh_token_once(world: World) -> None:
    async with world.running(ttl={"AccessToken": 1}), world.hub() as hub, Browser(hub) as browser:
        await log_in(browser)
        await asyncio.sleep(1)
        world.proxy.seen.clear()
        user = hub.users[ALICE]
        answers = await asyncio.gather(*(hub.authenticator.refresh_user(user) for _ in range(5)))
        assert all(isinstance(answer, dict) for answer in answers)
        assert world.proxy.seen.count("token") == 1


async def test_a_refreshed_id_token_about_somebody_else_is_refused(world: World) -> None:
    async with world.running(ttl={"AccessToken": 1}), world.hub() as hub, Browser(hub) as browser:
        await log_in(browser)
        await asyncio.sleep(1)
        with world.proxy.id_token(lambda header, claims: world.proxy.sign({**claims, "sub": "somebody-else"})):
            assert await hub.authenticator.refresh_user(hub.users[ALICE]) is False


async def test_userinfo_of_somebody_else_at_a_refresh_is_refused(world: World) -> None:
    async with world.running(), world.hub() as hub, Browser(hub) as browser:
        await log_in(browser)
        with world.proxy.changing(userinfo=lambda a: {**a, "sub": "somebody-else"}):
            assert await hub.authenticator.refresh_user(hub.users[ALICE]) is False


async def test_groups_follow_the_affiliation_at_the_next_refresh(world: World) -> None:
    async with world.running(), world.hub(auth_refresh_age=1) as hub, Browser(hub) as browser:
        await log_in(browser)
        assert {group.name for group in hub.users[ALICE].groups} == {"grenoble", "research"}
        changed = {"eduperson_scoped_affiliation": ["student@univ-grenoble.example"]}
        with world.proxy.changing(userinfo=lambda a: {**a, **changed}):
            await asyncio.sleep(1.1)
            assert await browser.user()
        assert {group.name for group in hub.users[ALICE].groups} == {"grenoble"}


async def test_who_loses_the_affiliation_loses_browser_and_tokens(world: World) -> None:
    async with world.running(), world.hub(auth_refresh_age=1) as hub, Browser(hub) as browser:
        await log_in(browser)
        token = hub.users[ALICE].new_api_token()
        assert await with_token(hub, token) == 200
        await asyncio.sleep(1.1)
        with world.without_affiliation():
            assert await with_token(hub, token) == 403
            assert await browser.user() is None
            page = await browser.get("home")
            assert page.status_code == 403
            assert "eduperson_scoped_affiliation" in page.text, "the next login says why"


@pytest.mark.parametrize("stop", [False, True])
async def test_who_only_has_a_running_server_and_a_token_loses_them_in_the_background(world: World, stop: bool) -> None:
    async with (
        world.running(),
        world.hub(recheck_interval=0.5, auth_refresh_age=0, stop_servers_on_loss=stop) as hub,
        Browser(hub) as browser,
    ):
        await log_in(browser)
        token = await with_running_server(hub)
        await asyncio.sleep(1.2)
        assert await with_token(hub, token) == 200, "who keeps her rights keeps her token"
        with world.without_affiliation():
            async with asyncio.timeout(60):
                while await with_token(hub, token) == 200:
                    await asyncio.sleep(0.2)
        await asyncio.sleep(0.3)
        assert hub.users[ALICE].active is not stop


async def test_while_the_provider_is_away_people_stay_in_for_the_grace_only(world: World) -> None:
    async with world.running(), world.hub(auth_refresh_age=1) as hub, Browser(hub) as browser:
        await log_in(browser)
        with world.proxy.changing(userinfo=lambda a: (503, {}, b"{}")):
            await asyncio.sleep(1.1)
            assert await browser.user(), "running servers and sessions go on"
            hub.authenticator.unverified_grace = 0.1
            await asyncio.sleep(1.1)
            assert await browser.user() is None


async def test_all_of_it_again_after_a_restart_of_the_hub(world: World) -> None:
    async with world.running(ttl={"AccessToken": 1}):
        async with world.hub() as hub, Browser(hub) as browser:
            await log_in(browser)
            jar = browser.http.cookies
            token = await with_running_server(hub)
            sub = (await hub.users[ALICE].get_auth_state())["id_claims"]["sub"]
            used = world.logout_token("nobody")
            assert (await world.send_logout(used)).status_code == 200
        async with world.hub(auth_refresh_age=1) as hub, Browser(hub) as browser:
            browser.http.cookies = jar
            assert await browser.user(), "the session is still there, and its ended access token is renewed"
            assert await with_token(hub, token) == 200
            assert (await world.send_logout(used)).status_code == 400, "a replay is seen after a restart"
            assert (await world.send_logout(world.logout_token(sub))).status_code == 200
            assert await browser.user() is None
            assert await with_token(hub, token) == 403
            await browser.get("login", stop="/spawn")
            token = hub.users[ALICE].new_api_token()
            assert await with_token(hub, token) == 200
            await asyncio.sleep(1.1)
            with world.without_affiliation():
                assert await with_token(hub, token) == 403, "the affiliation went"
                assert await browser.user() is None


async def test_a_logout_at_the_provider_ends_every_browser_and_token_but_not_the_running_server(world: World) -> None:
    async with world.running(), world.hub() as hub, Browser(hub) as one, Browser(hub) as two:
        await log_in(one)
        await log_in(two)
        token = await with_running_server(hub)
        servers_own = hub.users[ALICE].spawner.api_token
        page = await one.get(f"{world.issuer}/session/end")  # she logs out there, not here
        xsrf = page.text.split('name="xsrf" value="')[1].split('"')[0]
        await one.http.post(f"{world.issuer}/session/end/confirm", data={"xsrf": xsrf, "logout": "yes"})
        async with asyncio.timeout(60):
            while await one.user():
                await asyncio.sleep(0.1)
        assert await two.user() is None
        assert await with_token(hub, token) == 403
        assert await with_token(hub, servers_own) == 200
        assert hub.users[ALICE].active


async def test_a_logout_that_names_only_the_session_ends_it(world: World) -> None:
    needs_sid = {"backchannel_logout_session_required": True}
    async with world.running(client=needs_sid), world.hub() as hub, Browser(hub) as browser:
        await log_in(browser)
        sid = (await hub.users[ALICE].get_auth_state())["id_claims"]["sid"]
        assert (await world.send_logout(world.logout_token(None, sid=sid))).status_code == 200
        assert await browser.user() is None


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "no event": ({"events": None}, "events"),
    "another event": ({"events": {"http://example/other": {}}}, "events"),
    "an event that is a text": ({"events": {LOGOUT_EVENT: "x"}}, "events"),
    "a nonce": ({"nonce": "n"}, "token-kind"),
    "no jti": ({"jti": None}, "jti"),
    "nobody": ({"sub": None}, "sub"),
    "another audience": ({"aud": "another"}, "aud"),
    "another issuer": ({"iss": "https://evil.example"}, "iss"),
    "ended": ({"exp": 1}, "exp"),
    "too old": ({"iat": 1}, "iat"),
}


async def test_a_forged_logout_ends_nothing_and_is_answered_as_the_standard_says(world: World) -> None:
    async with world.running(), world.hub() as hub, Browser(hub) as browser:
        await log_in(browser)
        sub = (await hub.users[ALICE].get_auth_state())["id_claims"]["sub"]
        for name, (changes, reason) in FORGED.items():
            answer = await world.send_logout(world.logout_token(**{"sub": sub, **changes}))
            assert answer.status_code == 400, name
            assert answer.json()["error_description"] == reason, name
            assert answer.headers["cache-control"] == "no-store"
        unsigned = jwt.encode({"iss": world.issuer}, None, algorithm="none")
        assert (await world.send_logout(unsigned)).status_code == 400
        assert (await world.send_logout(None)).status_code == 400
        id_token = (await hub.users[ALICE].get_auth_state())["id_token"]
        assert (await world.send_logout(id_token)).status_code == 400, "an ID token is no logout token"
        once = world.logout_token("nobody")
        assert [(await world.send_logout(once)).status_code for _ in range(2)] == [200, 400]
        assert await browser.user(), "after all of this she is still logged in"

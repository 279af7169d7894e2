"""Another provider that demands a nonce, a hub that moves to ours and back, and logs that name nobody."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from traitlets.config import Config

from jupytercloud_hub.auth.store import Store
from jupytercloud_hub.storage import Database
from tests.integration.test_login_renater import GRENOBLE, TRAITS
from tests.support.hub import Visitor, start_hub, stop_hub
from tests.support.login import BASE_PATH, Browser, client_metadata, hub_and_provider, renater_hub
from tests.support.ports import free_port
from tests.support.provider import provider


@contextlib.asynccontextmanager
async def mock_provider() -> AsyncIterator[str]:
    """Run PyPI's oidc-provider-mock, which refuses a login without a nonce."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            issuer = f"http://localhost:{port}"
            async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(20):
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(f"{issuer}/.well-known/openid-configuration")).status_code == 200:
                            break
                    await asyncio.sleep(0.1)
            yield issuer
        finally:
            process.terminate()


async def test_a_provider_that_demands_a_nonce_gets_one(tmp_path: Path) -> None:
    async with mock_provider() as issuer:
        traits = {"preset": "plm", "allow_all": True, "username_from": "sub"}
        async with renater_hub(tmp_path, issuer, traits=traits) as hub, Browser(hub) as browser:
            page = await browser.get("login")
            end = await browser._follow(await browser.http.post(page.url, data={"sub": "anna"}), "/spawn")
            assert end.is_redirect, end.text
            assert "anna" in hub.users


async def test_ten_people_of_a_stock_hub_keep_everything_when_it_moves_to_ours_and_back(tmp_path: Path) -> None:
    people = ["alice", "benoit", "chloe", "david", "emily", "farid", "gaelle", "hugo", "ines", "jules"]
    places = {
        **dict.fromkeys(["alice", "benoit", "chloe"], "univ-grenoble.example"),
        **dict.fromkeys(["david", "emily", "farid"], "univ-paris-saclay.example"),
        **dict.fromkeys(["gaelle", "hugo"], "ens-plateau.example"),
        **dict.fromkeys(["ines", "jules"], "lycee-belledonne.example"),
    }
    old_names = {person: f"{person[0]}.{person}" for person in people}
    homes = {name: tmp_path / "homes" / name for name in old_names.values()}
    for name, home in homes.items():
        home.mkdir(parents=True)
        (home / "thesis.ipynb").write_text(name)

    async def stock() -> dict[str, int]:
        """Let everybody log in at a stock hub; return the hub's id of each."""
        hub = await start_hub(Config(), {name: {"groups": ["lab"]} for name in old_names.values()}, tmp_path)
        try:
            for name in old_names.values():
                async with Visitor(hub) as visitor:
                    await visitor.log_in(name)
            return {user.name: user.id for user in hub.users.values()}
        finally:
            await stop_hub(hub)

    before = await stock()
    assert len(before) == 10
    database = Database(f"sqlite:///{tmp_path}/jupytercloud.sqlite", "auth")
    await database.upgrade()
    for person in people:
        await Store(database).keep(old_names[person], "eppn", f"{person}@{places[person]}")
    await database.close()

    port = free_port()
    url = f"http://127.0.0.1:{port}{BASE_PATH}hub/"
    everybody = {"name": "all", "home_organizations": sorted(set(places.values()))}
    async with provider(tmp_path, clients=[client_metadata(url)]) as issuer:
        traits = {**TRAITS, "institutions": [everybody]}
        async with renater_hub(tmp_path, issuer, port=port, traits=traits) as hub:
            for person in people:
                async with Browser(hub) as browser:
                    await browser.log_in(person, places[person], stop="/spawn")
                    assert (await browser.user() or {})["name"] == old_names[person]
            assert {user.name: user.id for user in hub.users.values()} == before
    assert await stock() == before
    assert all((home / "thesis.ipynb").read_text() == name for name, home in homes.items())


async def test_an_old_account_is_not_taken_by_whoever_is_led_to_its_name(tmp_path: Path) -> None:
    hub = await start_hub(Config(), {"alice": {}}, tmp_path)
    async with Visitor(hub) as visitor:
        await visitor.log_in("alice")
    await stop_hub(hub)
    traits = {**TRAITS, "institutions": [{**GRENOBLE, "username": "eppn-local"}]}
    async with hub_and_provider(tmp_path, traits=traits) as (hub, _), Browser(hub) as browser:
        page = await browser.log_in("alice", "univ-grenoble.example")
        assert page.status_code == 403
        assert "username-taken" in page.text
        async with Browser(hub) as other:
            end = await other.log_in("benoit", "univ-grenoble.example", stop="/spawn")
            assert end.is_redirect, "a name that nobody had is free"


async def test_our_log_lines_hold_no_token_subject_name_or_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with hub_and_provider(tmp_path, traits=TRAITS, ttl={"AccessToken": 1}) as (hub, _), Browser(hub) as browser:
        await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        user = hub.users["alice@univ-grenoble.example"]
        kept = await user.get_auth_state()
        await asyncio.sleep(1)
        await hub.authenticator.refresh_user(user)
        for query in ("code=c-o-d-e&state=s-t-a-t-e", "error=e&error_description=w-o-r-d-s"):
            await browser.get(f"oauth_callback?{query}")
        async with Browser(hub) as other:
            await other.log_in("karim", "institut-inconnu.example")
        await hub.authenticator.reauthoriser.revoke(user)
    secrets = [kept["access_token"], kept["refresh_token"], kept["id_token"], kept["id_claims"]["sub"]]
    secrets += ["Alice Martin", "alice@", "Karim", "karim@", "c-o-d-e", "s-t-a-t-e", "w-o-r-d-s", "eyJ"]
    rooms = re.compile("jupytercloud_hub/(auth|identity|storage)")
    ours = [record for record in caplog.records if rooms.search(record.pathname)]
    assert any("organization-unknown" in record.getMessage() for record in ours), "the reasons are there"
    for record in ours:
        for secret in secrets:
            assert secret not in record.getMessage(), f"{record.pathname}:{record.lineno}"

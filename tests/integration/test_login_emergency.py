"""The emergency login: closed unless it is set up and the provider is away; few tries; a line in the log for each."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from jupytercloud_hub.auth import breakglass
from jupytercloud_hub.cli.identity import command
from tests.integration.test_login_renater import TRAITS
from tests.support.login import Browser, client_metadata, renater_hub
from tests.support.ports import free_port
from tests.support.provider import provider

PASSWORD = "correct horse battery staple"
SETTINGS = """
site: {name: hub, url: "http://127.0.0.1/"}
database: {url: "sqlite:///jupytercloud.sqlite"}
"""


async def submit(browser: Browser, password: str) -> httpx.Response:
    page = await browser.get("oidc/break-glass")
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert xsrf, page.text
    form = {"_xsrf": xsrf[1], "password": password, "reason": "the provider is away\x1b[2J"}
    return await browser.http.post(f"{browser.base}oidc/break-glass", data=form)


async def test_it_opens_only_while_the_provider_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hub_port, port = free_port(), free_port()
    hashed = CliRunner().invoke(command, ["break-glass", "--password", PASSWORD]).output.strip()
    traits = {**TRAITS, "break_glass_user": "admin", "break_glass_password": hashed}
    async with renater_hub(tmp_path, f"http://127.0.0.1:{port}", port=hub_port, traits=traits) as hub:
        known = [client_metadata("http://127.0.0.1:9/hub/")]
        async with provider(tmp_path, port=port, clients=known), Browser(hub) as browser:
            page = await browser.get("oidc/break-glass")
            assert page.status_code == 403
            assert "Le service de connexion répond" in page.text
        async with Browser(hub) as browser:
            wrong = await submit(browser, "wrong")
            assert wrong.status_code == 403
            assert "Ce n'est pas le mot de passe" in wrong.text
            unforged = await browser.http.post(f"{browser.base}oidc/break-glass", data={"password": PASSWORD})
            assert unforged.status_code == 403, "not without the form's token"
            assert await browser.user() is None
            page = await submit(browser, PASSWORD)
            assert page.status_code == 302, page.text
            assert (await browser.user() or {})["admin"]
            hub.authenticator.auth_refresh_age = 1
            hub.users["admin"]._auth_refreshed = 0
            assert await browser.user(), "it goes on while nothing can be asked"
            await hub.users["admin"].save_auth_state({breakglass.MARK: 1.0})
            hub.users["admin"]._auth_refreshed = 0
            assert await browser.user() is None, "after an hour it ends"
            statuses = [(await submit(browser, "wrong")).status_code for _ in range(4)]
            assert statuses == [403, 403, 403, 429]
        recorded = await (await hub.authenticator.guest_store()).emergencies()
        assert [row.outcome.partition(": ")[2] or "accepted" for row in reversed(recorded)] == [
            "wrong password",
            "accepted",
            *["wrong password"] * 3,
            "too many tries",
        ]
        assert {row.username for row in recorded} == {"admin"}
        assert {row.reason for row in recorded} == {"the provider is away [2J"}, "no control characters in a list"
        assert len({row.address for row in recorded}) == 1
        assert "127.0.0.1" not in recorded[0].address
        path = tmp_path / "jupytercloud.yaml"
        path.write_text(SETTINGS)
        given = ["emergency-logins", "--config", str(path), "--json"]
        listed = await asyncio.to_thread(CliRunner().invoke, command, given)
        assert [row["outcome"] for row in json.loads(listed.output)] == [row.outcome for row in recorded]
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert sum("Emergency login from 127.0.0.1" in line for line in lines) == 6


async def test_it_is_not_there_by_default(tmp_path: Path) -> None:
    async with renater_hub(tmp_path, "http://127.0.0.1:9", traits=TRAITS) as hub, Browser(hub) as browser:
        assert (await browser.get("oidc/break-glass")).status_code == 404


def test_a_password_is_kept_as_a_hash_that_only_it_fits() -> None:
    kept = breakglass.hash_password(PASSWORD)
    assert PASSWORD not in kept
    assert breakglass.check_password(PASSWORD, kept)
    assert not breakglass.check_password(PASSWORD + " ", kept)
    for broken in ("", "scrypt", "scrypt$$", "scrypt$x$y", "plain$" + PASSWORD):
        assert not breakglass.check_password(PASSWORD, broken)
    assert CliRunner().invoke(command, ["break-glass", "--password", "short"]).exit_code == 2

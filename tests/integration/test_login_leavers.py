"""Who loses the affiliation may log in for her files for a while, at a real hub, and start nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupytercloud_hub.auth.guest_store import GuestStore
from tests.integration.test_login_lasting import ALICE, World, log_in, with_token
from tests.integration.test_login_profiles import by_rest
from tests.support.hub import text_of
from tests.support.login import Browser

TRAITS: dict[str, Any] = {
    "leavers_export": 30 * 86_400.0,
    "leavers_files": {"fr": "Demandez une archive.", "en": "Ask for an archive."},
    "auth_refresh_age": 1,
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_who_left_logs_in_for_her_files_and_starts_nothing_until_her_time_is_over(world: World) -> None:
    async with world.running(), world.hub(**TRAITS) as hub, Browser(hub, "en") as browser:
        await log_in(browser)
        user = hub.users[ALICE]
        token = user.new_api_token()
        with world.without_affiliation():
            assert await hub.authenticator.refresh_user(user) is False, "all that she had open ends"
            assert await with_token(hub, token) == 403
            assert await browser.user() is None
            page = await browser.get("login")
            assert str(page.url).endswith("/oidc/leaving")
            said = text_of(page.text)
            assert "You can fetch your files until" in said
            assert "You cannot start servers" in said
            assert "Ask for an archive." in said
            assert {group.name for group in user.groups} == set()
            refused = await by_rest(hub, ALICE, "any")
            assert refused.status_code == 403
            assert "affiliation" in refused.json()["message"]
            form = {"_xsrf": browser.http.cookies.get("_xsrf", path=hub.hub.base_url) or ""}
            page = await browser.http.get(f"{browser.base}spawn", params=form)
            assert page.status_code == 403, "without a form, opening the page would start"
            assert "oidc/leaving" in page.text
            assert not user.active
            later = datetime.now(UTC) + timedelta(days=31)

            async def in_time() -> GuestStore:
                return GuestStore(hub.authenticator._store.database, lambda: later)

            hub.authenticator.guest_store, now = in_time, hub.authenticator.guest_store
            assert await hub.authenticator.refresh_user(user) is False
            assert await browser.user() is None
            page = await browser.get("login")
            assert page.status_code == 403
            assert "eduperson_scoped_affiliation" in page.text
            hub.authenticator.guest_store = now
        page = await browser.get("login", stop="/spawn")
        assert page.is_redirect, "with the affiliation, everything is back"
        assert {group.name for group in user.groups} == {"grenoble", "research"}
        with world.without_affiliation():
            await hub.authenticator.refresh_user(user)
            page = await browser.get("login")
            assert str(page.url).endswith("/oidc/leaving"), "and a later end has its own period"


async def test_who_never_came_in_gets_no_export_period(world: World) -> None:
    async with world.running(), world.hub(**TRAITS) as hub, Browser(hub) as browser:
        with world.without_affiliation():
            page = await browser.log_in("alice", "univ-grenoble.example")
        assert page.status_code == 403
        assert ALICE not in {user.name for user in hub.users.values()}

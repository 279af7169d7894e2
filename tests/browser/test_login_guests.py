"""Pages of guests, of people who left and of profiles that demand two factors, as people see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from jupytercloud_hub.auth.guest_store import GuestStore
from tests.browser.test_login_pages import at_provider, person, world
from tests.integration.test_login_lasting import ALICE, World
from tests.integration.test_login_profiles import IdleProfiles

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
__all__ = ["world"]

ENDS = datetime.now(UTC) + timedelta(days=40)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_guest_reads_who_invites_her_and_comes_in_and_the_link_is_then_used(
    world: World,
    browser: Browser,
    look: Callable[..., Any],
    language: str,
) -> None:
    async with world.running(), world.hub(guests=True) as hub:
        store: GuestStore = await hub.authenticator.guest_store()
        _, token = await store.invite(ALICE, ENDS, timedelta(days=14))
        link = f"{world.url}oidc/invitation?token={token}"
        async with person(browser, language) as page:
            await page.goto(link)
            await expect(page.locator("main")).to_contain_text(ALICE)
            await look(page, f"invitation-{language}", phone=True)
            other = page.get_by_role("button", name="English" if language == "fr" else "Français")
            await other.click()
            await expect(page.locator("main")).to_contain_text(ALICE)  # in the other language, the same invitation
            await page.locator("main a.button").click()
            await page.wait_for_selector("li button, #password_input")
            await at_provider(page, "karim", "institut-inconnu.example")
            assert any(user.name.startswith("guest-") for user in hub.users.values())
        async with person(browser, language) as page:
            await page.goto(link)
            await expect(page.locator("main")).to_contain_text("invitation-used")
            await look(page, f"invitation-used-{language}", phone=True)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_who_left_reads_what_she_can_still_do(
    world: World,
    browser: Browser,
    look: Callable[..., Any],
    language: str,
) -> None:
    async with (
        world.running(),
        world.hub(leavers_export=86_400.0 * 30) as hub,
        person(browser, language) as page,
    ):
        await page.goto(f"{world.url}login")
        await at_provider(page, "alice", "univ-grenoble.example")
        with world.without_affiliation():
            await hub.authenticator.refresh_user(hub.users[ALICE])
            await page.goto(f"{world.url}login")
            assert page.url.endswith("/oidc/leaving")
            await look(page, f"leaving-{language}", phone=True)


async def test_a_profile_that_demands_two_factors_leads_to_the_stronger_login(
    world: World,
    browser: Browser,
) -> None:
    async with world.running(), world.hub() as hub, person(browser) as page:
        hub.users.settings["spawner_class"] = IdleProfiles
        await page.goto(f"{world.url}login?next=/@/space%2520word/hub/spawn")
        await at_provider(page, "benoit", "univ-grenoble.example")
        link = page.get_by_role("link", name="Se connecter avec deux facteurs")
        await expect(link).to_be_visible()
        await link.click()
        await page.wait_for_url(f"{world.issuer}/interaction/**")

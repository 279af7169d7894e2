"""The pages around login as people see them: both languages, telephone, dark, keyboard; each looked at by axe-core."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from jupytercloud_hub.auth.breakglass import hash_password
from tests.integration.test_login_lasting import ALICE, World
from tests.integration.test_login_renater import GRENOBLE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

OTHERS = [
    {"name": "saclay", "title": {"fr": "Université Paris-Saclay", "en": "Paris-Saclay University"},
     "home_organizations": ["univ-paris-saclay.example"], "affiliations": ["faculty"]},
    {"name": "plateau", "title": {"fr": "École normale du Plateau", "en": "Plateau Normal School"},
     "home_organizations": ["ens-plateau.example"], "scopes": ["plateau.example"]},
    {"name": "lycee", "title": {"fr": "Lycée Belledonne", "en": "Belledonne Secondary School"},
     "home_organizations": ["lycee-belledonne.example"], "username": "orcid"},
]  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@contextlib.asynccontextmanager
async def person(browser: Browser, language: str = "fr") -> AsyncIterator[Page]:
    size: Any = {"width": 1100, "height": 800}
    context = await browser.new_context(locale=f"{language}-{language.upper()}", viewport=size)
    yield await context.new_page()
    await context.close()


async def at_provider(page: Page, login: str, organization: str) -> None:
    """Choose the organization where the provider asks for it, and send its form."""
    if not await page.locator("#password_input").count():
        await page.goto(f"{page.url}?organization={organization}")
    await page.fill("#username_input", login)
    await page.fill("#password_input", f"{login}-demo")
    await page.press("#password_input", "Enter")
    await page.wait_for_url("**/hub/**")


REFUSED = [
    ("karim", "institut-inconnu.example", "organization-unknown"),
    ("lea", "univ-grenoble.example", "affiliation-not-accepted"),
    ("hugo", "ens-plateau.example", "scope-not-owned"),
    ("ines", "lycee-belledonne.example", "claim-missing"),
]


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_each_refusal_says_why_and_whom_to_write_to(
    world: World, browser: Browser, look: Callable[..., Any], language: str
) -> None:
    async with world.running(), world.hub(institutions=[GRENOBLE, *OTHERS]):
        for login, organization, reason in REFUSED:
            async with person(browser, language) as page:
                await page.goto(f"{world.url}login")
                await at_provider(page, login, organization)
                await expect(page.locator("html")).to_have_attribute("lang", language)
                await expect(page.locator("main")).to_contain_text(reason)
                await expect(page.locator("main")).to_contain_text(organization)
                await look(page, f"login-{reason}-{language}", phone=True)
        async with person(browser, language) as page:
            await page.goto(f"{world.url}oauth_callback?error=x&error_description=call")
            await expect(page.locator("main")).to_contain_text("state-missing")
            await look(page, f"login-ended-{language}", phone=True)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_organization_is_chosen_with_the_keyboard_and_remembered(
    world: World, browser: Browser, look: Callable[..., Any], language: str
) -> None:
    async with (
        world.running(),
        world.hub(institutions=[GRENOBLE, *OTHERS], organization_choice="page"),
        person(browser, language) as page,
    ):
        await page.goto(f"{world.url}login")
        await expect(page.locator("#organizations li")).to_have_count(4)
        await look(page, f"organizations-{language}", phone=True)
        await page.fill("#q", "GRENOBLE")
        await expect(page.locator("#organizations li:visible")).to_have_count(1)
        await page.fill("#q", "nowhere")
        await expect(page.locator("#none")).to_be_visible()
        await page.fill("#q", "grenoble univ")
        await page.locator("#organizations li:visible button").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#password_input")
        await at_provider(page, "alice", "univ-grenoble.example")
        await page.goto(f"{world.url}oidc/organizations")
        heading = "Comme la dernière fois" if language == "fr" else "As last time"
        await expect(page.get_by_role("heading", name=heading)).to_be_visible()


async def test_the_language_is_switched_on_a_refusal(world: World, browser: Browser) -> None:
    async with world.running(), world.hub(), person(browser) as page:
        await page.goto(f"{world.url}login")
        await at_provider(page, "karim", "institut-inconnu.example")
        await expect(page.locator("h1")).to_have_text("Votre établissement ne participe pas ici")
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("h1")).to_have_text("Your organization does not take part here")


async def test_a_logout_at_the_provider_is_seen_in_another_browser_and_logging_out_here_ends_on_our_page(
    world: World, browser: Browser, look: Callable[..., Any]
) -> None:
    async with world.running(), world.hub() as hub, person(browser) as page, person(browser) as other:
        for one in (page, other):
            await one.goto(f"{world.url}login?next=/@/space%2520word/hub/home")
            await at_provider(one, "alice", "univ-grenoble.example")
            await one.goto(f"{world.url}home")
            assert one.url == f"{world.url}home"
        await page.goto(f"{world.url}logout")
        await page.wait_for_url("**/oidc/logged-out**")
        await expect(page.locator("h1")).to_have_text("Vous êtes déconnecté")
        await look(page, "logged-out-fr", phone=True)
        await page.get_by_role("button", name="English").click()
        await page.goto(f"{world.url}oidc/logged-out")
        await look(page, "logged-out-en", phone=True)
        assert hub.users[ALICE]
        asked: list[str] = []
        other.on("request", lambda request: asked.append(request.url))
        await other.goto(f"{world.url}home")
        assert any(address.startswith(f"{world.issuer}/auth?") for address in asked), "its session here had ended"


async def test_while_the_provider_is_away_the_login_page_says_so(
    world: World, browser: Browser, look: Callable[..., Any]
) -> None:
    world.issuer = "http://127.0.0.1:9"
    async with world.proxy.running():
        traits = {"break_glass_user": "admin", "break_glass_password": hash_password("a long emergency password")}
        async with world.hub(**traits), person(browser) as page, person(browser, "en") as english:
            for one, language in ((english, "en"), (page, "fr")):
                answer = await one.goto(f"{world.url}login")
                assert answer is not None
                assert answer.status == 503
                await look(one, f"login-provider-away-{language}", phone=True)
                await one.goto(f"{world.url}oidc/break-glass")
                await look(one, f"break-glass-{language}", phone=True)
            await page.fill("#password", "a long emergency password")
            await page.fill("#reason", "le fournisseur ne répond pas")
            await page.keyboard.press("Enter")
            await page.wait_for_url("**/hub/admin")

"""What people meet when they cannot have what they ask for: a page in their language, the right status, a way on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.test_demo_journey import LINK, log_in, watch
from tests.support.demo import Demo, running

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def enter(demo: Demo, browser: Browser, login: str, language: str = "fr-FR") -> tuple[BrowserContext, Page]:
    context = await browser.new_context(locale=language)
    page = await context.new_page()
    await page.goto(demo.portal)
    await log_in(page, demo.person(login))
    return context, page


async def force(page: Page, profile: str) -> int:
    """Choose a profile that the form does not offer, as somebody who changes the page would; return the status."""
    radio = page.locator(f"input[name=profile][value={profile}]")
    await expect(radio).to_be_disabled()
    await radio.evaluate("(radio) => { radio.disabled = false; radio.checked = true; }")
    answers = watch(page)
    await page.get_by_role("button", name="Démarrer").click()
    await page.wait_for_load_state()
    return [a for a in answers if a.status not in range(300, 400)][-1].status


@pytest.mark.parametrize(
    ("login", "language", "words"),
    [
        ("karim", "fr-FR", "institut-inconnu.example"),
        ("karim", "en-GB", "institut-inconnu.example"),
        ("lea", "fr-FR", "library-walk-in"),
    ],
)
async def test_who_is_let_in_nowhere_is_told_why_and_whom_to_ask(
    demo: Demo, browser: Browser, look: Callable[..., Any], login: str, language: str, words: str
) -> None:
    context = await browser.new_context(locale=language)
    page = await context.new_page()
    await page.goto(demo.portal)
    answers = watch(page)
    await log_in(page, demo.person(login))
    await page.wait_for_url(f"{demo.portal}**")
    assert answers[-1].status == 403
    await expect(page.locator("html")).to_have_attribute("lang", language[:2])
    await expect(page.locator("main")).to_contain_text(words)
    await expect(page.locator("body")).to_contain_text("support@jupytercloud.example")
    await look(page, f"refus-{login}-{language[:2]}")
    await context.close()


async def test_without_the_group_the_reserved_profile_is_shown_greyed_and_refused(
    demo: Demo, browser: Browser, look: Callable[..., Any]
) -> None:
    context, page = await enter(demo, browser, "benoit")
    await page.goto(demo.portal + LINK)
    await expect(page.locator("main")).to_contain_text("réservé au groupe calcul", ignore_case=True)
    await look(page, "profil-reserve")
    assert await force(page, "calcul") == 403
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await expect(page.locator("main")).to_contain_text("réservé au groupe calcul", ignore_case=True)
    await look(page, "refus-groupe")
    await context.close()


async def test_a_profile_that_asks_for_what_no_site_has_is_refused_by_portal_and_site(
    demo: Demo, browser: Browser, look: Callable[..., Any]
) -> None:
    context, page = await enter(demo, browser, "benoit")
    answer = await page.goto(f"{demo.portal}services/federation/go/~profile=gpu/hub/spawn")
    assert answer is not None
    assert answer.status == 404
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await look(page, "refus-gpu-portail")
    await page.goto(f"{demo.site('grenoble')}hub/spawn")
    await expect(page.locator("main")).to_contain_text("Ce profil demande un GPU")
    assert await force(page, "gpu") in (400, 403, 409)
    await expect(page.locator("main")).to_contain_text("GPU")
    await look(page, "refus-gpu")
    await context.close()


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[Demo]:
    """A federation of the test's own: one of its sites is gone afterwards."""
    with running(tmp_path) as demo:
        yield demo


async def test_when_her_site_was_killed_the_portal_says_so_and_keeps_her_place(
    short_lived: Demo, browser: Browser, look: Callable[..., Any]
) -> None:
    context, page = await enter(short_lived, browser, "david")
    await page.goto(f"{short_lived.portal}services/federation/go/hub/home")  # her first visit sets her home site
    await expect(page).to_have_url(f"{short_lived.site('paris-saclay')}hub/home")
    os.kill(json.loads((short_lived.state / "running.json").read_text())["paris-saclay"], signal.SIGKILL)
    for _ in range(60):
        answer = await page.goto(short_lived.portal + LINK)
        assert answer is not None
        if answer.url.startswith(short_lived.portal) and answer.status == 503:
            break
        await page.wait_for_timeout(500)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await expect(page.locator("main")).to_contain_text("Paris-Saclay")
    await look(page, "site-arrete")
    await page.goto(f"{short_lived.portal}services/federation/")
    await expect(page.locator("main")).to_contain_text("Ne répond pas")
    await look(page, "portail-site-arrete")
    await context.close()

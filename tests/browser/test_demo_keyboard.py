"""The main job without a mouse: from the portal to a running notebook, to what was used, and out."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.support.demo import Demo
from tests.support.keyboard import press, reach

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


async def test_the_main_job_is_done_with_the_keyboard_alone(demo: Demo, browser: Browser) -> None:
    person, site = demo.person("benoit"), demo.site("grenoble")
    context = await browser.new_context(locale="fr-FR")
    page = await context.new_page()

    await page.goto(demo.portal)
    await press(page, page.locator(f"button[value='{person['home_organization']}']"))
    await reach(page, page.get_by_label("Identifiant"))
    await page.keyboard.type(person["login"])
    await reach(page, page.get_by_label("Mot de passe"))
    await page.keyboard.type(person["password"])
    await page.keyboard.press("Enter")

    # The portal says where her files are; the first Tab of a page skips what all pages have in common.
    await page.wait_for_url("**/services/federation/")
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Aller au contenu")
    await page.keyboard.press("Enter")
    await press(page, page.get_by_role("link", name="Aller à Grenoble"))

    # A profile, chosen with the arrows as radio buttons are; the start.
    await page.wait_for_url("**/hub/spawn**")
    chosen = page.get_by_role("radio", name="PyCoA")
    await reach(page, page.get_by_role("radio", checked=True))
    await reach(page, chosen, "ArrowDown")
    await press(page, page.get_by_role("button", name="Démarrer"))
    await page.wait_for_url(re.compile(r".*/grenoble/user/.*"), timeout=120_000)

    # What it used, by the links of the pages; then out.
    await page.goto(f"{site}services/culler/")
    await expect(page.locator("main")).to_contain_text("PyCoA")
    await press(page, page.get_by_role("link", name="Mon usage"))
    await page.wait_for_url("**/services/quotas/")
    await press(page, page.get_by_role("link", name="Mon serveur").first)
    await page.wait_for_url("**/hub/home")
    stop = page.get_by_role("button", name="Arrêter mon serveur")
    await press(page, stop)
    await expect(stop).to_be_hidden()
    await press(page, page.get_by_role("link", name="Se déconnecter"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Vous êtes déconnecté")
    await context.close()

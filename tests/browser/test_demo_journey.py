"""The main job, as a person does it, through the pages only: log in, be routed, work, be counted, leave."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Response, expect

from tests.support.demo import Demo
from tests.support.lab import run_all_cells

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

TARGET = "lab/tree/premiers-pas.ipynb?reset&x=1%2F2&p=a%20b"
LINK = f"services/federation/go/hub/user-redirect/{TARGET}"


async def log_in(page: Page, person: dict[str, Any]) -> None:
    """Choose the organization, give name and password."""
    await page.locator(f"button[value='{person['home_organization']}']").click()
    await page.get_by_label(re.compile("Identifiant|User name")).fill(person["login"])
    await page.get_by_label(re.compile("Mot de passe|Password")).fill(person["password"])
    await page.get_by_role("button", name=re.compile("Se connecter|Log in")).click()


def watch(page: Page) -> list[Response]:
    """The answers to navigations, redirects included, as they come."""
    seen: list[Response] = []
    page.on("response", lambda r: seen.append(r) if r.request.is_navigation_request() else None)
    return seen


async def asked_again(page: Page, address: str) -> None:
    """The address leads to the choice of an organization; another hub's services may take up to 30 s to know."""
    for _ in range(40):
        await page.goto(address)
        if "/interaction/" in page.url:
            break
        await page.wait_for_timeout(1000)
    await expect(page.get_by_role("heading", name="Choisissez votre établissement")).to_be_visible()


async def test_a_person_logs_in_once_works_at_her_site_and_leaves_everywhere(
    demo: Demo, browser: Browser, look: Callable[..., Any]
) -> None:
    alice, grenoble = demo.person("alice"), demo.site("grenoble")
    context = await browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    answers = watch(page)

    # The portal, in French; her organization; her password, once.
    await page.goto(demo.portal)
    await expect(page.get_by_role("heading", name="Choisissez votre établissement")).to_be_visible()
    await look(page, "etablissements")
    await page.locator(f"button[value='{alice['home_organization']}']").click()
    await look(page, "connexion")
    await page.goto(demo.portal)
    await log_in(page, alice)
    await expect(page).to_have_url(f"{demo.portal}services/federation/")
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await expect(page.get_by_role("link", name="Aller à Grenoble")).to_be_visible()
    await look(page, "portail")

    # A link goes to her home site without a second password; path and raw query arrive as they were sent.
    answers.clear()
    await page.goto(demo.portal + LINK)
    assert answers[0].status == 302
    assert answers[0].headers["location"] == f"{grenoble}hub/user-redirect/{TARGET}"
    assert not [a.url for a in answers if "/interaction/" in a.url], "no page of the provider was shown"
    await expect(page.get_by_role("button", name="Démarrer")).to_be_visible()
    await look(page, "profils")

    # PyCoA, with progress; the server's first request carries what was sent.
    await page.get_by_role("radio", name="PyCoA").check()
    await page.get_by_role("button", name="Démarrer").click()
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await look(page, "demarrage")
    await page.wait_for_url(f"**/{TARGET}", timeout=90_000)
    server_log = next((demo.state / "grenoble/state/logs").glob("alice*.log"))
    first = next(line for line in server_log.read_text().splitlines() if " GET " in line and "/lab/" in line)
    assert f"/lab/tree/{TARGET.removeprefix('lab/tree/')} " in f"{first} "

    # All cells; the plot.
    await page.locator(".jp-NotebookPanel-notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    await run_all_cells(page)
    await page.get_by_text("Cumul par pays").first.wait_for(timeout=60_000)
    await expect(page.locator(".bk-Figure")).to_have_count(4, timeout=90_000)
    await expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    await page.wait_for_timeout(1000)  # JupyterLab scrolls to the last cell when all have run
    await page.get_by_role("heading", name="Tracer").evaluate("heading => heading.scrollIntoView()")
    await page.wait_for_timeout(1000)  # Bokeh draws what comes into sight
    await look(page, "carnet", ours=False)

    # When it will stop, and what it used.
    await page.goto(f"{grenoble}services/culler/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Quand mon serveur s'arrêtera-t-il ?")
    await expect(page.locator("main")).to_contain_text("PyCoA")
    await look(page, "arret")
    await page.goto(f"{grenoble}services/quotas/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mon usage")
    await expect(page.locator("main")).to_contain_text("Budget des personnels")
    await expect(page.get_by_role("row", name=re.compile("Mon serveur"))).to_contain_text("PyCoA")
    await look(page, "usages")
    await page.goto(f"{grenoble}hub/home")
    await look(page, "serveur")
    await page.goto(f"{demo.portal}services/federation/")
    await expect(page.locator("main")).to_contain_text("c'est votre site d'attache")
    await expect(page.get_by_role("row", name=re.compile("Grenoble"))).to_contain_text("PyCoA")
    await look(page, "portail-site-attache")
    await page.goto(f"{demo.portal}services/federation/status")
    await look(page, "etat")

    # Out of everything: the portal, the site and its services all ask for a password again.
    await page.goto(f"{grenoble}services/quotas/")
    await page.get_by_role("link", name="Se déconnecter").click()
    await page.wait_for_url(f"{grenoble}hub/**")
    await look(page, "deconnexion")
    for address in (f"{grenoble}hub/home", f"{grenoble}services/quotas/", f"{demo.portal}services/federation/"):
        await asked_again(page, address)
    await context.close()


async def test_the_pages_are_in_english_for_who_prefers_it(
    demo: Demo, browser: Browser, look: Callable[..., Any]
) -> None:
    context = await browser.new_context(locale="en-GB")
    page = await context.new_page()
    await page.goto(demo.portal)
    await expect(page.get_by_role("heading", name="Choose your organization")).to_be_visible()
    await log_in(page, demo.person("emily"))
    site = page.get_by_role("link", name="Paris-Saclay").first
    for _ in range(60):  # on a busy machine a site can miss a probe; the page tells what is so when it is asked
        if await site.is_visible():
            break
        await page.wait_for_timeout(1000)
        await page.reload()
    await expect(site).to_be_visible()
    await look(page, "portal-en")
    await page.goto(demo.portal + LINK)
    await expect(page.get_by_role("button", name="Start")).to_be_visible()
    await look(page, "profiles-en")
    await context.close()

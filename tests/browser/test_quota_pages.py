"""The pages of the quota service as people see them: both languages, dark, narrow, by keyboard, with axe-core."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from jupytercloud_hub.contracts.admission import Confirm, Release, Reserve, StartKey
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.contracts.server_record import Resources, ServerRecord
from jupytercloud_hub.quotas.admission import Admission
from jupytercloud_hub.quotas.service import open_ledger
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.settings import load
from jupytercloud_hub.storage import Database
from tests.quotas.hub import QuotaHub, until
from tests.support import CACHE
from tests.support.chromium import prepare

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

QUOTAS = {
    "heartbeat": "2 s",
    "budgets": [
        {
            "name": "essais",
            "title": {"fr": "Essais", "en": "Trials"},
            "names": ["dora"],
            "limits": [{"window": "month", "units": 2, "hard": True}],
            "contact": "budget@example.fr",
        },
        {
            "name": "etudiants",
            "title": {"fr": "Budget des étudiants", "en": "Students' budget"},
            "limits": [
                {"window": "month", "units": 150, "hard": True},
                {"window": "academic-year", "gpu_hours": 20},
            ],
        },
        {
            "name": "masters",
            "title": {"fr": "Masters de statistique", "en": "Statistics masters"},
            "account": "group",
            "names": ["m2-*"],
            "limits": [{"window": "30 d", "units": 130}],
        },
    ],
    "managers": [{"people": ["prof"], "groups": ["m2-*"]}],
}


async def a_month_of(hub: QuotaHub, person: Person) -> None:
    """Write a month of usage into the ledger: made up, and the same at every run."""
    settings = load(hub.settings)
    database = Database(settings.database_url("quotas"), "quotas")
    await database.upgrade()
    ledger, _ = open_ledger(settings, database)
    quotas = settings.quotas.model_copy(update={"budgets": ()})
    door = Admission(ledger, Reader(ledger, quotas), quotas, settings.site)
    chance, today = random.Random(3), datetime.now(UTC)
    for days in range(29, 0, -1):
        for profile, cores in (("small", 0.5), ("big", 4)):
            if chance.random() < 0.6:
                begin = today - timedelta(days=days, hours=chance.random() * 5)
                gpu = int(profile == "big" and chance.random() < 0.2)
                resources = Resources(cpu=cores, memory="2 GiB", gpu=gpu)
                key = StartKey(hub=ledger.hub, user=person.username, started=begin)
                record = ServerRecord(profile=profile, resources=resources)
                await door.answer(Reserve(key=key, person=person, record=record), begin)
                await door.answer(Confirm(key=key), begin)
                await door.answer(Release(key=key), begin + timedelta(hours=chance.random() * 2))
    await database.close()


@pytest.fixture(scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QuotaHub]:
    hub = QuotaHub(tmp_path_factory.mktemp("hub"), QUOTAS)
    await a_month_of(hub, Person(username="anna", groups=("m2-stat",)))
    async with hub:
        for name in ("anna", "dora", "prof"):
            await hub.client.post(f"{hub.api}/users/{name}")
        await hub.client.post(f"{hub.api}/groups/m2-stat")
        await hub.client.post(f"{hub.api}/groups/m2-stat/users", json={"users": ["anna", "dora"]})
        await hub.spawn("anna", profile="small", options={})
        yield hub


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser in the loop of this module's hub."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(prepare(CACHE / "chromium")))
        yield browser
        await browser.close()


async def logged_in(browser: Browser, hub: QuotaHub, user: str, language: str) -> Page:
    context = await browser.new_context(locale=language)
    page = await context.new_page()
    await page.goto(f"{hub.base}hub/login")
    await page.fill("#username_input", user)
    await page.fill("#password_input", "x")
    await page.press("#password_input", "Enter")
    await page.wait_for_url(lambda url: "login" not in url)
    return page


@pytest.mark.parametrize(
    ("language", "heading", "left", "table"),
    [
        ("fr", "Mon usage", "restant sur 150 unités", "Par jour et par profil, en tableau"),
        ("en", "My usage", "left of 150 units", "By day and profile, as a table"),
    ],
)
async def test_a_person_sees_what_is_left_and_what_she_used(
    hub: QuotaHub, browser: Browser, look: Callable[..., Any], language: str, heading: str, left: str, table: str
) -> None:
    page = await logged_in(browser, hub, "anna", language)
    await page.goto(hub.quotas)
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    await expect(page.locator(".budget").first).to_contain_text(left)
    await expect(page.locator("figure.usage > svg rect").first).to_be_visible()
    bars = await page.locator("figure.usage > svg rect").count()
    await look(page, f"quotas-person-{language}")
    await page.get_by_text(table).focus()
    await page.keyboard.press("Enter")  # the table behind the picture opens by keyboard, and has a row for each bar
    await expect(page.locator("table.by-day")).to_be_visible()
    assert await page.locator("table.by-day tbody tr").count() >= bars
    await look(page, f"quotas-person-table-{language}")
    await page.context.close()


@pytest.mark.parametrize(
    ("language", "mine", "amount", "until", "why", "withdraw", "over"),
    [
        ("fr", "Budgets dont je m’occupe", "Combien", "Dernier jour", "Motif", "Retirer l’octroi", "terminé"),
        ("en", "Budgets that I manage", "How much", "Last day", "Why", "Withdraw the grant", "over"),
    ],
)
async def test_a_manager_finds_her_group_and_gives_more_by_keyboard(
    hub: QuotaHub,
    browser: Browser,
    look: Callable[..., Any],
    language: str,
    mine: str,
    amount: str,
    until: str,
    why: str,
    withdraw: str,
    over: str,
) -> None:
    page = await logged_in(browser, hub, "prof", language)
    await page.goto(hub.quotas)
    await page.get_by_role("link", name=mine).click()
    await look(page, f"quotas-manage-{language}")
    await page.get_by_role("link", name="m2-stat").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("m2-stat")
    await page.get_by_label(amount).fill("40")
    await page.get_by_label(until).fill("2099-12-31")
    await page.get_by_label(why).fill("soutenances de décembre")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_be_visible()
    await expect(page.locator("table.grants")).to_contain_text("soutenances de décembre")
    await look(page, f"quotas-account-{language}")
    await page.get_by_role("button", name=withdraw).first.click()
    await expect(page.locator("table.grants")).to_contain_text(over)
    await page.context.close()


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_start_is_refused_with_what_is_left_a_manager_grants_and_it_starts(
    hub: QuotaHub, browser: Browser, look: Callable[..., Any], language: str
) -> None:
    start = {"fr": "Démarrer", "en": "Start"}[language]
    left = {"fr": r"reste [\d,]+ unités? sur 2 unités", "en": r"[\d.]+ units? left of 2 units"}[language]
    await hub.spawn("dora", profile="small", options={})  # her last start is on the group's account
    await hub.stop_server("dora")
    page = await logged_in(browser, hub, "dora", language)
    await page.goto(f"{hub.base}hub/spawn/dora?profile=big")
    await page.locator("input[name=profile][value=big]").check(force=True)
    await page.get_by_role("button", name=start, exact=True).click()
    await expect(page.locator("body")).to_contain_text(re.compile(left))
    await expect(page.locator("body")).to_contain_text("budget@example.fr")
    await look(page, f"quotas-refused-{language}")
    manager = await logged_in(browser, hub, "prof", language)
    await manager.goto(f"{hub.quotas}manage/person/dora")
    await manager.locator("input[name=amount]").fill("4")
    await manager.locator("input[name=until]").fill("2099-12-31")
    await manager.locator("[name=reason]").fill("projet")
    await manager.keyboard.press("Enter")
    await expect(manager.get_by_role("status")).to_be_visible()
    await page.goto(f"{hub.base}hub/spawn/dora")
    await page.locator("input[name=profile][value=big]").check(force=True)
    await page.get_by_role("button", name=start, exact=True).click()

    async def runs() -> bool:
        return await hub.running("dora") == [""]

    await until(runs, 90)
    await hub.stop_server("dora")
    await manager.locator("table.grants button").first.click()  # as before, for whoever comes next
    await expect(manager.locator("table.grants")).to_contain_text({"fr": "terminé", "en": "over"}[language])
    for each in (page, manager):
        await each.context.close()

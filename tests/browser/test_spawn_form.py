"""The spawn form and the page of a start, in a real browser: French and English, telephone and desktop, keyboard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from traitlets.config import Config

from jupytercloud_hub import configure
from jupytercloud_hub.contracts.admission import AdmissionAnswer
from jupytercloud_hub.spawners import admitted
from jupytercloud_hub.spawners.admission import Admission
from jupytercloud_hub.web.hub_pages import hub_handlers
from tests.support.admission import Quotas
from tests.support.hub import TableAuthenticator, TestHub, start_hub, stop_hub

pytestmark = pytest.mark.browser

PEOPLE = {
    "amelie": {"language": "fr", "home_organization": "univ-grenoble-alpes.fr", "groups": ["calcul"]},
    "bob": {"language": "en", "home_organization": "universite-paris-saclay.fr"},
}
SETTINGS = """
site: {name: grenoble, title: Grenoble, url: "http://127.0.0.1:{port}/grenoble/", contact: aide@grenoble.example}
spawner: {backend: local, places: {"*": 30, pycoa: 12, lab: 0}}
profiles:
  - name: pycoa
    default: true
    title: PyCoA
    section: {fr: Cours et ateliers, en: Courses and workshops}
    description: {fr: Un carnet qui trace des données par pays., en: A notebook that plots data by country.}
    resources: {cpu: 1, memory: 1 GiB}
    idle: 1 h
    command: [python3, -m, tests.spawners.tiny_server]
    environment: {PYTHONPATH: "{root}"}
  - name: lab
    title: JupyterLab
    section: {fr: Recherche, en: Research}
    description: {fr: Python et vos propres paquets., en: Python and packages of your own.}
    resources: {cpu: 2, memory: 4 GiB}
    options:
      - name: size
        title: {fr: Taille, en: Size}
        choices:
          - {value: small, title: {fr: "Petite (2 cœurs, 4 GiB)", en: "Small (2 cores, 4 GiB)"}}
          - value: big
            title: {fr: "Grande (8 cœurs, 32 GiB)", en: "Big (8 cores, 32 GiB)"}
            resources: {cpu: 8, memory: 32 GiB}
      - name: tag
        title: {fr: Étiquette du projet, en: Project tag}
        text: {pattern: "[a-z]{1,8}", hint: {fr: "Une à huit lettres minuscules.", en: "One to eight small letters."}}
        default: projet
    command: [python3, -m, tests.spawners.tiny_server]
    environment: {PYTHONPATH: "{root}"}
  - name: calcul
    title: {fr: Calcul, en: Computing}
    section: {fr: Recherche, en: Research}
    description:
      fr: Davantage de cœurs et de mémoire, pour le groupe calcul.
      en: More cores and memory, for the group calcul.
    resources: {cpu: 16, memory: 64 GiB}
    access: {groups: [calcul]}
    command: [python3, -c, "import sys; sys.exit('no room left on /scratch')"]
  - name: gpu
    title: {fr: Calcul sur GPU, en: GPU computing}
    section: {fr: Recherche, en: Research}
    description: {fr: Une carte A100 pour l'apprentissage., en: An A100 card for machine learning.}
    resources: {cpu: 4, memory: 16 GiB, gpu: 1, gpu_type: a100}
"""


class People(TableAuthenticator):
    people = PEOPLE

    def get_handlers(self, app: Any) -> list[Any]:
        return [*super().get_handlers(app), *hub_handlers()]


@pytest.fixture
async def quotas() -> AsyncIterator[Quotas]:
    service = Quotas()
    yield service
    await service.end()


@pytest.fixture
async def hub(tmp_path: Path, quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestHub]:
    monkeypatch.setattr(admitted, "Admission", partial(Admission, timeout=30))  # a machine that is busy answers late
    settings = tmp_path / "jupytercloud.yaml"
    settings.write_text(SETTINGS.replace("{root}", str(Path(__file__).parents[2])).replace("{port}", "8000"))
    config = Config()
    configure(config, settings)
    config.JupyterHub.authenticator_class = People
    config.JupyterHub.tornado_settings = {"slow_spawn_timeout": 60}  # a refusal is shown on the form
    config.ProfileMixin.quota_url = quotas.url
    config.ProfileMixin.quota_token = "hub-token"
    del config.JupyterHub["public_url"]
    app = await start_hub(config, PEOPLE, tmp_path)
    yield app
    await stop_hub(app)


async def visit(browser: Browser, hub: TestHub, name: str, **options: Any) -> Page:
    context = await browser.new_context(**options)
    page = await context.new_page()
    await page.goto(f"{hub.hub.url}login")
    await page.fill("#username_input", name)
    await page.fill("#password_input", "x")
    await page.press("#password_input", "Enter")
    await page.goto(f"{hub.hub.url}spawn")
    return page


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not so():
            await asyncio.sleep(0.05)


PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1200, "height": 900}}


EVERYWHERE = [
    pytest.param(size, shape, language, id=f"{size}-{language}")
    for size, shape in (("desktop", DESKTOP), ("phone", PHONE))
    for language in ("fr", "en")
]
SPENT = {
    "title": "Budget des étudiants",
    "measure": "units",
    "hard": True,
    "limit": 20,
    "left": 0,
    "resets": "2026-12-01T00:00:00+01:00",
}


@pytest.mark.parametrize(("size", "shape", "language"), EVERYWHERE)
async def test_form_fits_the_screen_and_speaks_the_language(
    browser: Browser,
    hub: TestHub,
    quotas: Quotas,
    look: Callable[..., Any],
    size: str,
    shape: dict[str, Any],
    language: str,
) -> None:
    quotas.budgets = [{**SPENT, "left": 7.25}]
    quotas.prices = {"pycoa": 1, "lab": 2.5, "calcul": 16}
    page = await visit(browser, hub, "bob", locale=language, **shape)
    await expect(page.locator("legend")).to_have_text("Choisir un profil" if language == "fr" else "Choose a profile")
    await expect(page.locator("#jc-pycoa")).to_be_checked()
    await expect(page.locator("#jc-calcul")).to_be_disabled()
    await expect(page.locator("#jc-about-calcul")).to_contain_text("calcul.")
    await expect(page.locator("#jc-lab-size")).to_be_hidden()
    await page.locator("label[for=jc-lab]").click()
    await expect(page.locator("#jc-lab-size")).to_be_visible()
    free = {"fr": ("12 places libres", "aucune place libre"), "en": ("12 free places", "no free place")}[language]
    await expect(page.locator("#jc-about-pycoa")).to_contain_text(free[0])
    await expect(page.locator("#jc-about-lab")).to_contain_text(free[1])
    price = "2,5 unités par heure" if language == "fr" else "2.5 units an hour"
    await expect(page.locator("#jc-about-lab")).to_contain_text(price)
    await look(page, f"form-{size}-{language}")


@pytest.mark.parametrize(("size", "shape", "language"), EVERYWHERE)
async def test_a_budget_that_is_used_up_is_said_on_the_form_and_at_the_start(
    browser: Browser,
    hub: TestHub,
    quotas: Quotas,
    look: Callable[..., Any],
    size: str,
    shape: dict[str, Any],
    language: str,
) -> None:
    quotas.budgets = [SPENT]
    quotas.answer = AdmissionAnswer(verdict="refused", message="0 / 20 → 2026-12-01")
    page = await visit(browser, hub, "bob", locale=language, **shape)
    said = "Il est épuisé" if language == "fr" else "It is used up"
    await expect(page.locator(".jc-budgets .jc-why")).to_contain_text(said)
    await page.click("#start-server")
    await expect(page.locator("[role=alert]")).to_contain_text("0 / 20 → 2026-12-01")
    await look(page, f"form-over-budget-{size}-{language}")


async def test_profile_is_chosen_and_started_by_keyboard_alone(browser: Browser, hub: TestHub) -> None:
    page = await visit(browser, hub, "bob", locale="fr", **DESKTOP)
    await page.focus("#jc-pycoa")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("#jc-lab")).to_be_checked()
    await page.keyboard.press("Tab")
    await expect(page.locator("#jc-lab-size")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.type("abc")
    await page.keyboard.press("Enter")
    spawner = hub.users["bob"].spawners[""]
    await until(lambda: spawner.active)
    assert spawner.user_options == {"profile": "lab", "options": {"size": "big", "tag": "abc"}}
    assert spawner.mem_limit == 32 * 1024**3


async def test_form_works_without_javascript(browser: Browser, hub: TestHub) -> None:
    page = await visit(browser, hub, "bob", locale="fr", java_script_enabled=False)
    await page.locator("label[for=jc-lab]").click()
    await page.fill("#jc-lab-tag", "NOT")
    await page.click("#start-server")
    await expect(page.locator(".spawn-error-msg")).to_contain_text("Une à huit lettres minuscules.")
    await expect(page.locator("#jc-lab")).to_be_checked()


async def test_failed_start_says_why_and_how_to_go_on(browser: Browser, hub: TestHub, images: Path) -> None:
    page = await visit(browser, hub, "amelie", locale="fr", **DESKTOP)
    await page.locator("label[for=jc-calcul]").click()
    await page.click("#start-server")
    await expect(page.locator("[role=alert]")).to_contain_text("no room left on /scratch")
    await page.screenshot(path=images / "form-failed-fr.png", full_page=True)

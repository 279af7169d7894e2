"""The culler's page as people see it: a warning, a server that is spared, "keep it" and its refusal; with axe-core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.culling.hub import Hub
from tests.support.languages import read

pytestmark = pytest.mark.browser

CULLING = {
    "rules": [
        {"name": "theses", "servers": ["these"], "spare": True},
        {
            "name": "usage",
            "title": {"fr": "Usage courant", "en": "Ordinary use"},
            "idle": "30 min",
            "warn": "1798 s",
            "keep": {"duration": "1 h", "times": 1},
        },
    ],
    "every": "2 s",
}


async def test_the_page_tells_when_and_why_and_keeps_once(
    tmp_path: Path, browser: Browser, look: Callable[..., Any]
) -> None:
    async with Hub(tmp_path, CULLING) as hub:
        await hub.spawn("anna")
        await hub.spawn("anna", "these")
        report = {"last_activity": "2026-01-01T00:00:00Z", "busy": ["these/calcul.ipynb"]}
        token = hub.own_token("anna")
        assert (await hub.ask("POST", "api/v1/servers/anna/~/activity", token, json=report)).status_code == 200
        page = await (await browser.new_context(locale="fr-FR")).new_page()
        await page.goto(hub.culler)
        await page.fill("input[name=username]", "anna")
        await page.fill("input[name=password]", "x")
        await page.click("input[type=submit], button[type=submit]")
        await expect(page.locator("h1")).to_have_text("Quand mon serveur s'arrêtera-t-il ?")
        default = page.locator("[data-server='']")
        await expect(default).to_contain_text("Arrêt après 30 min sans activité (Usage courant).")
        await expect(default).to_contain_text("these/calcul.ipynb")
        await expect(page.locator("[data-server='these']")).to_contain_text("Aucun arrêt prévu")
        await page.wait_for_timeout(3_000)
        await page.reload()
        await expect(default).to_contain_text("Arrêt prochain")
        await look(page, "culler-fr")
        await page.get_by_role("button", name="Le garder jusqu'à").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("l'arrêt est reporté")
        await expect(default).to_contain_text("déjà été reporté 1 fois sur 1")
        await look(page, "culler-kept-fr")
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("h1")).to_have_text("When does my server stop?")
        await look(page, "culler-en")
        for language in ("fr", "en"):
            for name in ("guide", "privacy", "accessibility"):
                await page.goto(f"{hub.culler}{name}?lang={language}")
                await read(page, language, ("essai",))
                await look(page, f"{name}-{language}")

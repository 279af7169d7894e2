"""The login beside an event's code, as a visitor's telephone shows it, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.events.conftest import Fair
from tests.events.test_login import GRENOBLE, fair

__all__ = ["fair"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
WORDS = {"fr": "Se connecter avec mon établissement", "en": "Log in with my institution"}


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_visitor_logs_in_beside_the_code(
    fair: Fair,
    browser: Browser,
    look: Callable[..., Any],
    language: str,
) -> None:
    context = await browser.new_context(locale=language, viewport={"width": 360, "height": 740})
    page = await context.new_page()
    await page.goto(f"{fair.app.hub.url}login")
    await expect(page.locator("#code")).to_be_visible()
    await look(page, f"evenement-connexion-{language}")
    await page.get_by_role("link", name=WORDS[language]).click()
    await page.goto(f"{page.url}?organization={GRENOBLE}")
    await page.fill("#username_input", "benoit")
    await page.fill("#password_input", "benoit-demo")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/hub/event/**")
    assert fair.app.users["seat-0001"].user_info["jupytercloud"]["language"] == language
    await context.close()

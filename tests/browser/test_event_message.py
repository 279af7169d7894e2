"""What organizers tell everybody reaches visitors in JupyterLab and in the exercise by buttons, in their language."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.events.on_engine import order
from tests.support.event_hub import EventHub, event

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
MESSAGE = "Goûter à 16 h dans le hall <3"
SECONDS = 60
"""Servers ask each second here, their pages every 15."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventHub]:
    folder = tmp_path_factory.mktemp("fair") / "salon"
    hub = EventHub.create(
        folder, "--seats", "2", "--warm", "2", "--profile", "pycoa", "--fictitious-data", notice="10 min"
    )
    hub.start(JUPYTER_CONFIG_DIR=str(folder / "none"))
    try:
        hub.wait()
        yield hub
    finally:
        hub.end()


async def visitor(hub: EventHub, browser: Browser, code: str, locale: str, view: str) -> Page:
    telephone = {"viewport": {"width": 360, "height": 740}, "has_touch": True} if view == "buttons" else {}
    page = await (await browser.new_context(locale=locale, **telephone)).new_page()  # type: ignore[arg-type]
    await page.goto(f"{hub.url}hub/login?code={code}")
    await page.locator(".entry button").click()
    await page.wait_for_url("**/user/seat-*/**", timeout=180_000)
    await page.goto(f"{hub.url}hub/event/enter?view={view}")
    return page


async def test_a_message_to_all_and_the_end_are_on_the_screens_of_lab_and_buttons(
    hub: EventHub, browser: Browser, look: Callable[..., Any], images: Path
) -> None:
    await asyncio.to_thread(event, "warm", "--seats", "2", "--config", str(hub.settings))
    lab = await visitor(hub, browser, hub.codes()[0], "fr-FR", "profile")
    buttons = await visitor(hub, browser, hub.codes()[1], "en-GB", "buttons")
    await lab.locator(".jp-NotebookPanel-notebook .jp-CodeCell").first.wait_for(timeout=180_000)
    await buttons.get_by_role("button", name="English").wait_for(timeout=180_000)

    await asyncio.to_thread(order, hub, "message", text=MESSAGE)
    in_lab = lab.locator(".Toastify__toast", has_text=f"Message à tous : {MESSAGE}")
    on_telephone = buttons.get_by_role("status").filter(has_text=f"Message to everybody: {MESSAGE}")
    await expect(in_lab).to_be_visible(timeout=SECONDS * 1000)
    await expect(on_telephone).to_be_visible(timeout=SECONDS * 1000)
    await look(lab, "evenement-message-jupyterlab", ours=False)
    await look(buttons, "evenement-message-boutons", ours=False)
    assert await buttons.evaluate("document.documentElement.scrollWidth") <= 360, "nothing to push aside"

    await asyncio.to_thread(order, hub, "message", text="")
    await expect(in_lab).to_have_count(0, timeout=SECONDS * 1000)
    await expect(on_telephone).to_have_count(0, timeout=SECONDS * 1000)

    await asyncio.to_thread(event, "close", "--config", str(hub.settings))  # in ten minutes
    ends_in_lab = lab.locator(".Toastify__toast", has_text="Nous fermons. Votre code vous rendra votre travail")
    await expect(ends_in_lab).to_be_visible(timeout=SECONDS * 1000)
    ends_on_telephone = buttons.get_by_role("status").filter(has_text="We are closing. Your code gives you your work")
    await expect(ends_on_telephone).to_be_visible(timeout=SECONDS * 1000)
    assert "Maintenance" not in await ends_on_telephone.inner_text(), "a visitor is told that it ends, and no more"
    await look(lab, "evenement-fin-jupyterlab", ours=False)
    await look(buttons, "evenement-fin-boutons", ours=False)

"""A fair from one command to nothing left: tickets, warm seats, an exercise, the board, the end, the purge."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.support.event_hub import EventHub, event, until
from tests.support.lab import run_all_cells
from tests.support.pdf import links, pages

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

TELEPHONE = {"width": 360, "height": 740}
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventHub]:
    folder = tmp_path_factory.mktemp("fair") / "salon"
    hub = EventHub.create(
        folder, "--seats", "2", "--warm", "1", "--profile", "pycoa", "--fictitious-data",
        "--contact", "aide@example.fr",
        "--title", "Salon des maths", notice="1 min",
    )  # fmt: skip
    hub.start(JUPYTER_CONFIG_DIR=str(folder / "none"))
    try:
        hub.wait()
        yield hub
    finally:
        hub.end()


async def _exercise_by_buttons(hub: EventHub, browser: Browser, code: str, look: Callable[..., Any]) -> None:
    """The same code on a telephone: the same seat, and the same notebook by Voilà; nothing is typed."""
    context = await browser.new_context(
        locale="fr-FR",
        viewport=TELEPHONE,
        is_mobile=True,
        has_touch=True,
        user_agent=PHONE,  # type: ignore[arg-type]
    )
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{hub.url}hub/login?code={code}")
    began = time.monotonic()
    await page.get_by_role("button", name="Entrer").tap()
    await page.get_by_role("button", name="✓ Décès").wait_for(timeout=180_000)
    print(f"code → buttons that work {time.monotonic() - began:.2f} s")
    assert re.search(r"/user/seat-\d+/voila/render/", page.url)
    await page.get_by_role("button", name="Espagne").first.tap()
    await expect(page.get_by_role("button", name="✓ Espagne").first).to_be_visible(timeout=60_000)
    await page.get_by_role("button", name="Par jour").tap()
    await expect(page.get_by_role("button", name="✓ Par jour, lissé")).to_be_visible(timeout=60_000)
    await look(page, "evenement-boutons", ours=False)
    assert await page.evaluate("document.documentElement.scrollWidth") <= TELEPHONE["width"], "nothing to push aside"
    heights = await page.eval_on_selector_all(".exercice button", "all => all.map(one => one.offsetHeight)")
    assert min(heights) >= 48
    await page.get_by_role("button", name="France").last.tap()
    await expect(page.get_by_role("status")).to_contain_text("Bravo", timeout=60_000)
    await look(page, "evenement-boutons-question", ours=False)
    await expect(page.get_by_role("link", name="Voir le code dans JupyterLab")).to_be_visible()
    await page.get_by_role("button", name="English").tap()
    await expect(page.get_by_role("status")).to_contain_text("Well done", timeout=60_000)
    strangers = [url for url in asked if not url.startswith((hub.url, "data:", "blob:"))]
    assert not strangers, "a telephone asks nobody else"
    await context.close()


async def test_a_visitor_comes_with_a_ticket_works_and_leaves_nothing_behind(
    hub: EventHub, browser: Browser, look: Callable[..., Any], images: Path
) -> None:
    warmed = json.loads(await asyncio.to_thread(event, "warm", "--seats", "1", "--json", "--config", str(hub.settings)))
    assert warmed["ready"] >= 1

    # The ticket's QR code, on a telephone without JavaScript: it fills the code in, the button lets in.
    plain = await browser.new_context(locale="fr-FR", viewport=TELEPHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = await plain.new_page()
    await page.goto(f"{hub.url}hub/login")
    await page.get_by_label("Code de votre ticket").fill("ACD-EFG-HJH")
    await page.get_by_role("button", name="Entrer").click()
    await expect(page.get_by_role("alert")).to_contain_text("neuf lettres et chiffres")
    await plain.close()

    context = await browser.new_context(locale="fr-FR", viewport=TELEPHONE)  # type: ignore[arg-type]
    page = await context.new_page()
    code = hub.codes()[0]
    await asyncio.to_thread(event, "poster", "--config", str(hub.settings))  # the address that this hub has here
    poster, sheet = (pages(hub.folder / name)[0] for name in ("poster.pdf", "codes.pdf"))
    poster.save(images / "evenement-affiche.png")
    sheet.save(images / "evenement-tickets.png")
    assert links(poster) == [f"{hub.url}hub/login"]
    (ticket,) = (link for link in links(sheet) if link.endswith(code.replace("-", "")))
    await page.goto(ticket)
    await expect(page.get_by_label("Code de votre ticket")).to_have_value(code)
    await look(page, "evenement-code")
    began = time.monotonic()
    async with page.expect_response(
        lambda answer: re.search(r"/user/seat-\d+/lab", answer.url) is not None and answer.status == 200
    ) as answered:
        await page.get_by_role("button", name="Entrer").click()
    await answered.value
    first = time.monotonic() - began
    await page.locator(".jp-NotebookPanel-notebook .jp-CodeCell").first.wait_for()
    usable = time.monotonic() - began
    print(f"code → first answered page of the server {first:.2f} s, usable page {usable:.2f} s")
    if folder := os.environ.get("JUPYTERCLOUD_FIGURES"):
        figures = {"first_page_seconds": round(first, 2), "usable_page_seconds": round(usable, 2)}
        (Path(folder) / "event.json").write_text(json.dumps(figures))

    # The exercise, on the warm seat.
    await page.set_viewport_size({"width": 1280, "height": 800})
    await run_all_cells(page)
    await expect(page.locator(".bk-Figure").first).to_be_visible(timeout=180_000)
    await page.keyboard.press("Control+s")
    await look(page, "evenement-carnet", ours=False)

    await _exercise_by_buttons(hub, browser, code, look)

    # She calls for help; the board shows it, on one screen.
    await page.set_viewport_size(TELEPHONE)  # type: ignore[arg-type]
    await page.goto(f"{hub.url}services/events/")
    await page.get_by_role("button", name="Je suis bloqué").click()
    await expect(page.get_by_role("status")).to_contain_text("Quelqu'un vient vous voir")
    await look(page, "evenement-visiteur")
    organizer = await browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 800})
    board = await organizer.new_page()
    await board.goto(f"{hub.url}hub/login?code={hub.codes('organizer')[0]}")
    await board.get_by_role("button", name="Entrer").click()
    await expect(board.get_by_role("heading", name="Quelqu'un est bloqué")).to_be_visible()
    await expect(board.get_by_role("button", name="C'est fait")).to_be_visible()
    await board.get_by_role("link", name="Message, remise à neuf, fermeture").click()  # it does not load itself anew
    await expect(board.get_by_role("button", name="Remettre à neuf")).to_be_visible()
    await look(board, "evenement-tableau")
    await board.goto(f"{hub.url}services/events/report")
    await expect(board.locator("main")).to_contain_text("Visiteurs : 1.")
    await look(board, "evenement-bilan")

    # The end: her work by her code, then nothing.
    await asyncio.to_thread(event, "close", "--now", "--config", str(hub.settings))
    await asyncio.to_thread(until, lambda: list((hub.folder / "state" / "work").glob("*.zip")), hub.words)
    await page.goto(f"{hub.url}hub/event/enter")
    await expect(page.get_by_role("heading", name="C'est fini")).to_be_visible()
    await look(page, "evenement-fini")
    async with page.expect_download() as fetched:
        await page.get_by_role("link", name="Récupérer mon travail").click()
    assert (await fetched.value).suggested_filename == "salon.zip"
    said = json.loads(await asyncio.to_thread(event, "purge", "--yes", "--json", "--config", str(hub.settings)))
    assert said["found_afterwards"] == {}
    assert said["removed"]["accounts"] >= 2
    assert said["removed"]["codes"] == 6
    fresh = await browser.new_context(locale="fr-FR", viewport=TELEPHONE)  # type: ignore[arg-type]
    page = await fresh.new_page()
    await page.goto(f"{hub.url}hub/login?code={code}")
    await page.get_by_role("button", name="Entrer").click()
    await expect(page.get_by_role("alert")).to_contain_text("Ce code n'a été donné à personne")
    await look(page, "evenement-purge")

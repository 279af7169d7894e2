"""Every page of an event in every state: no word of the other language, axe-core, a narrow screen."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest
from playwright.async_api import Browser, Page

from jupytercloud_hub.events import codes as pure
from jupytercloud_hub.events.pseudonyms import ANIMALS, MANNERS
from tests.events.conftest import INSIDE, OPENS, SEATS, Fair, fair
from tests.support.event_hub import EventHub, event, until
from tests.support.languages import read, strangers

__all__ = ["fair"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
LANGUAGES = pytest.mark.parametrize("language", ["fr", "en"])
OPEN_CODE = pytest.mark.parametrize("fair", [("--open-code",)], indirect=True)
NAMES = ("salon", "aide@example.fr", *ANIMALS, *MANNERS)
"""Visitors are animals, with French names in both languages."""
MESSAGE = "12 h 30"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Their pictures are for the test alone: the docs show a few, of `test_event_journey.py`."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


class Reader:
    """Somebody who reads pages in one language, on a telephone or at a desk."""

    def __init__(self, page: Page, look: Callable[..., Any], language: str) -> None:
        self._page, self._look, self._language = page, look, language
        self.read: set[str] = set()

    async def reads(self, answer: httpx.Response, name: str, *, has: str = "") -> None:
        """Show an answer as the browser would, held still where it would ask again; look at it and read it."""
        assert "text/html" in answer.headers["content-type"], answer.text
        address = str(answer.url)
        await self._page.route(address, lambda route: route.fulfill(status=200, body=answer.text, content_type="text/html"))  # fmt: skip # noqa: E501
        await self._page.goto(address)
        await self._page.unroute(address)
        await self._page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
        text = await read(self._page, self._language, NAMES)
        assert has in text, text
        await self._look(self._page, f"evenement-{name}-{self._language}")
        self.read.add(name)


@asynccontextmanager
async def reader(browser: Browser, look: Callable[..., Any], language: str, width: int = 360) -> AsyncIterator[Reader]:
    context = await browser.new_context(locale=language, viewport={"width": width, "height": 740})
    yield Reader(await context.new_page(), look, language)
    await context.close()


@LANGUAGES
async def test_pages_between_a_code_and_a_seat(
    fair: Fair, browser: Browser, look: Callable[..., Any], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, *others, last = fair.codes["visitor"]
    async with reader(browser, look, language) as she, fair.visitor(language=language) as telephone:
        await she.reads(await telephone.look("login"), "code")
        await she.reads(await telephone.give("ABC"), "code-incomplete")
        await she.reads(await telephone.give(pure.new_code(random.Random(1).choice)), "code-unknown")
        await she.reads(await telephone.look("jupytercloud/accessibility"), "accessibility", has="PDF")
        await she.reads(await telephone.look("jupytercloud/privacy"), "privacy")
        await she.reads(await telephone.look("jupytercloud/guide"), "guide")
        await she.reads(await telephone.look("nowhere"), "nowhere", has="404")
        with monkeypatch.context() as full:
            full.setattr(fair.authenticator.guard, "take", lambda *_, **__: False)
            await she.reads(await telephone.give(mine), "busy")
        fair.now = OPENS - timedelta(hours=2)
        await she.reads(await telephone.look(), "closed", has="10:00")
        fair.now = INSIDE
        assert (await telephone.look()).status_code == 302
        waits = await telephone.look("event/enter?still=1")
        assert "refresh" not in waits.headers, "who needs time to read has it"
        await she.reads(waits, "starting-still")
        await she.reads(await telephone.look("admin"), "hub-forbidden", has="403")
        seat = await telephone.seat()
        with monkeypatch.context() as stopping:
            stopping.setattr(fair.app.users[seat].spawner, "_stop_pending", True)
            await she.reads(await telephone.look(f"spawn-pending/{seat}?still=1"), "hub-stopping")
        for number, code in enumerate(others[: SEATS - 1]):
            async with fair.visitor(language=language) as other:
                await other.give(code)
                if number == 0:
                    await she.reads(await other.look(f"user/{await other.seat()}/lab"), "hub-not-running")
                    await she.reads(await other.look("event/enter"), "starting")
        async with fair.visitor(language=language) as late:
            await she.reads(await late.give(last), "queue", has="1")
        fair.now = OPENS + timedelta(days=2)
        work = Path(fair.authenticator.work_folder)
        work.mkdir(parents=True)
        (work / f"{await telephone.seat()}.zip").write_bytes(b"PK")
        for code, name, has in ((mine, "over-work", "14"), (last, "over-nothing-kept", "")):
            async with fair.visitor(language=language) as again:
                await she.reads(await again.give(code), name, has=has)
        assert len(she.read) == 17


@LANGUAGES
@OPEN_CODE
async def test_pages_of_an_open_code(fair: Fair, browser: Browser, look: Callable[..., Any], language: str) -> None:
    (code,) = fair.codes["open"]
    answers = []
    for number in range(SEATS + 1):
        async with fair.visitor(f"192.0.2.{number}", language) as telephone:
            answers.append(await telephone.give(code))
    async with reader(browser, look, language) as she:
        await she.reads(answers[0], "own-code")
        await she.reads(answers[-1], "full", has=str(SEATS))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventHub]:
    with EventHub.running(tmp_path_factory.mktemp("fair"), seats=3, warm=1, notice="1 s") as hub:
        yield hub


async def test_board_report_and_visitors_page(hub: EventHub, browser: Browser, look: Callable[..., Any]) -> None:
    """In both languages in turn, since an event ends once."""
    with hub.browser() as organizer, hub.browser() as helper, hub.browser() as visitor:
        roles = {"organizer": organizer, "helper": helper, "visitor": visitor}
        for role, client in roles.items():
            await asyncio.to_thread(hub.come_in, client, hub.codes(role)[0])
        await asyncio.to_thread(until, lambda: hub.status()["held"] == 1, hub.words)

        async def all_read(pages: dict[str, tuple[str, str]], extra: str = "") -> None:
            for language in ("fr", "en"):
                async with reader(browser, look, language, 1280) as reads:
                    for name, (role, address) in pages.items():
                        client = roles[role]
                        client.headers["Accept-Language"] = language
                        answer = await asyncio.to_thread(client.get, f"services/events/{address}")
                        await reads.reads(answer, f"{name}{extra}")
                    if "report" in pages:
                        table = await asyncio.to_thread(organizer.get, "services/events/report.csv")
                        headings = table.content.decode("utf-8-sig").splitlines()[0]
                        assert strangers(headings, language) == set(), headings
                        assert {"fr": "Visiteurs", "en": "Visitors"}[language] in headings

        board = {
            "board": ("organizer", ""),
            "board-still": ("organizer", "?still=1"),
            "orders": ("organizer", "orders"),
            "helpers-board": ("helper", ""),
        }
        mine = {"visitor": ("visitor", "")}
        more = {
            "report": ("organizer", "report"),
            "forbidden": ("visitor", "report"),
            "missing": ("visitor", "nowhere"),
            "service-privacy": ("visitor", "privacy"),
            "service-accessibility": ("visitor", "accessibility"),
            "service-guide": ("visitor", "guide"),
        }
        await all_read({**board, **mine, **more})
        for client, action, fields in ((visitor, "help", {}), (organizer, "message", {"text": MESSAGE})):
            page = await asyncio.to_thread(client.get, "services/events/" + ("orders" if client is organizer else ""))
            xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
            assert xsrf
            client.post(f"services/events/{action}", data={"_xsrf": xsrf[1], **fields})
        await all_read({**board, **mine}, "-stuck-message")
        await asyncio.to_thread(event, "close", "--now", "--config", str(hub.settings))
        await asyncio.to_thread(until, lambda: hub.status()["door"] == "over", hub.words)
        await all_read({**board, **mine}, "-over")


def test_poster_and_tickets_say_everything_in_both_languages(hub: EventHub) -> None:
    french, english = (
        page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(hub.folder / "poster.pdf")
    )
    assert strangers(french, "fr", NAMES) == set(), french
    assert strangers(english, "en", NAMES) == set(), english
    sheet = pypdfium2.PdfDocument(hub.folder / "codes.pdf")[0].get_textpage().get_text_range()
    assert "Votre code" in sheet
    assert "Your code" in sheet
    for language in ("fr", "en"):
        for file in (f"announcement.{language}.txt", f"checklist.{language}.md"):
            text = re.sub(r"`[^`]*`|https?://\S+|\S+\.(pdf|txt|json|csv|yaml)", "", (hub.folder / file).read_text())
            assert strangers(text, language, (*NAMES, "jupytercloud event status purge --config")) == set(), text

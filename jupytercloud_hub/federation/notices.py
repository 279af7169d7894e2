"""Tells operators that a site of theirs went away or came back: a webhook (Mattermost's format), or e-mail.

What holds for less than `HOLD` is not told, so that a hub that restarts wakes nobody; what could not be sent is tried
again a few times and then left, with a line in the log. One message in both languages.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from ..contracts.loopback import is_loopback
from ..contracts.text import LANGUAGES, Text
from ..settings.federation import FederationSettings, FederationSite, Notify
from ..web.i18n import render
from ..web.mail import Letter, Mailer
from .board import Board, Known
from .model import SiteState
from .words import STATES

log = logging.getLogger("jupytercloud")

HOLD = 30.0
"""Seconds for which a state must hold before it is told."""
TRIES = 4
SECONDS = 10.0
_QUIET = frozenset({SiteState.UNKNOWN})
_WELL = frozenset({SiteState.UP, SiteState.DEGRADED})

Send = Callable[[str, str], None]


class Notifier:
    """Follows the states of a board and sends messages about what changed."""

    def __init__(
        self,
        board: Board,
        settings: FederationSettings,
        folder: Path,
        zone: ZoneInfo,
        page: str,
        mailer: Mailer | None = None,
    ) -> None:
        self._board = board
        self._mailer = mailer
        self._settings = settings
        self._folder = folder
        self._zone = zone
        self._page = page
        self._told: dict[str, str] = {}
        self._waiting: set[str] = set()
        self.hold = HOLD

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told anything."""
        everybody = [self._settings.notify, *(site.notify for site in self._board.sites.values())]
        return any(one is not None for one in everybody)

    async def changed(self, name: str) -> None:
        """A site changed its state: tell it, once it holds."""
        if name in self._waiting or not self.wanted:
            return
        self._waiting.add(name)
        try:
            await asyncio.sleep(self.hold)
        finally:
            self._waiting.discard(name)
        known = self._board.known.get(name)
        if known is None or known.shown.state in _QUIET:
            return
        now = _mood(known.shown.state)
        before = self._told.get(name, _mood(SiteState.UP))  # nobody is told that all is well at the start
        self._told[name] = now
        if now != before:
            await self._send(known)

    async def _send(self, known: Known) -> None:
        text = message(known, self._zone, self._page)
        for notify in {id(one): one for one in (self._settings.notify, known.site.notify) if one}.values():
            await self._to(notify, known.site, text)

    async def _to(self, notify: Notify, site: FederationSite, text: str) -> None:
        if notify.webhook is not None:
            await self._tried(site.name, lambda: _webhook(notify.webhook.read(self._folder), text))  # type: ignore[union-attr]
        if notify.emails and self._mailer is not None:
            letter = Letter(notify.emails, text.partition("\n")[0], text)
            await self._tried(site.name, lambda: _email(self._mailer, letter))  # type: ignore[arg-type]

    async def _tried(self, name: str, send: Callable[[], object]) -> None:
        for attempt in range(TRIES):
            try:
                async with asyncio.timeout(SECONDS):
                    await send()  # type: ignore[misc]
                return
            except Exception as error:
                log.warning("federation: operators of %s could not be told: %s", name, type(error).__name__)
                if attempt < TRIES - 1:
                    await asyncio.sleep(2**attempt)


def _mood(state: SiteState) -> str:
    """Up and slow are the same to an operator who sleeps."""
    return "well" if state in _WELL else state.value


def message(known: Known, zone: ZoneInfo, page: str) -> str:
    """Return what is sent: the state, what was found, since when, in French and in English."""
    since: datetime | None = known.since
    when = f"{since.astimezone(zone):%d/%m %H:%M}" if since else ""
    lines = [
        render(
            Text(
                "{site}: {state}. {reason} (since {when})",
                site=known.site.shown_title(language),
                state=STATES[known.shown.state],
                reason=known.shown.reason,
                when=when,
            ),
            language,
        )
        for language in LANGUAGES
    ]
    return "\n".join([*lines, page])


async def _webhook(url: str, text: str) -> None:
    async with httpx.AsyncClient(timeout=SECONDS, trust_env=not is_loopback(url)) as client:
        (await client.post(url, json={"text": text})).raise_for_status()


async def _email(mailer: Mailer, letter: Letter) -> None:
    if not all(await mailer.send([letter])):
        raise ConnectionError("the mail server did not take it")

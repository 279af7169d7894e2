"""Warnings by e-mail, in the language of the person: where the operator switched it on and an address is known.

At least once, like the webhook: what the mail server did not take is sent at the next pass, while the warning holds.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ..contracts.person import Person
from ..contracts.text import DEFAULT_LANGUAGE, Language, Text
from ..hubapi.client import HubApi, HubApiError
from ..settings.site import SiteSettings
from ..web.i18n import negotiate, render
from ..web.mail import Letter, Mailer, address_of
from .facts import Start
from .rules import Verdict

log = logging.getLogger("jupytercloud.culling")

MOST_NAMED = 5
"""Computations that a letter names."""


class Letters:
    """Writes to the owners of servers that are going to stop."""

    def __init__(self, mailer: Mailer, api: HubApi, site: SiteSettings, page: str) -> None:
        self._mailer, self._api, self._site, self._page = mailer, api, site, page

    async def tell(self, verdicts: Sequence[Verdict]) -> list[Start]:
        """Send a letter for each; return the starts that are done with: sent, or nobody to send to."""
        done: list[Start] = []
        letters: list[tuple[Start, Letter]] = []
        for verdict in verdicts:
            server = verdict.server
            try:
                model = await self._api.user(server.user)
            except HubApiError as error:
                log.warning("the address of %s was not looked up: %s", server.user, error)
                continue
            address = address_of(model) if model else None
            if model is None or address is None:
                done.append(server.key)
                continue
            language = negotiate(Person.from_hub_user(model).language, DEFAULT_LANGUAGE)
            letters.append((server.key, self.letter(verdict, address, language)))
        taken = await self._mailer.send([letter for _, letter in letters])
        return [*done, *(start for (start, _), sent in zip(letters, taken, strict=True) if sent)]

    def letter(self, verdict: Verdict, address: str, language: Language) -> Letter:
        """Return what is written about one server."""
        server, stops_at = verdict.server, verdict.stops_at
        if stops_at is None:
            raise ValueError("only a server that is going to stop can be warned of")
        site = self._site.shown_title(language)
        hour = f"{stops_at.astimezone(ZoneInfo(self._site.timezone)):%d/%m %H:%M}"
        name = server.name or server.profile or ""
        paragraphs = [
            Text("Your server at {site} ({name}) stops at {hour}.", site=site, name=name, hour=hour)
            if name
            else Text("Your server at {site} stops at {hour}.", site=site, hour=hour),
            verdict.reason,
        ]
        if server.busy:
            names = ", ".join(server.busy[:MOST_NAMED])
            paragraphs.append(Text("Computing when this was written: {names}.", names=names))
        paragraphs.append(Text("Your files stay. When and why, and whether you can keep it: {page}", page=self._page))
        if self._site.contact:
            paragraphs.append(Text("Questions: {contact}", contact=self._site.contact))
        subject = Text("{site}: your server stops at {hour}", site=site, hour=hour)
        return Letter((address,), render(subject, language), "\n\n".join(render(each, language) for each in paragraphs))

"""Warnings at 80 and 100 % by e-mail, to the person whose own budget it is, in her language.

Where the operator switched it on and an address is known; at least once, as long as it is true.
"""

from __future__ import annotations

import logging
from datetime import datetime

from ..contracts.person import Person
from ..contracts.text import DEFAULT_LANGUAGE, Language, Text
from ..hubapi import HubApi, HubApiError
from ..settings.site import SiteSettings
from ..web.i18n import negotiate, render
from ..web.mail import MOST, Letter, Mailer, address_of
from .notices import Notices, Reached
from .words import warning_text

log = logging.getLogger("jupytercloud.quotas")


class Letters:
    """Writes to people who have used much of a budget of their own."""

    def __init__(self, mailer: Mailer, hub: HubApi, notices: Notices, site: SiteSettings, page: str) -> None:
        self._mailer, self._hub, self._notices, self._site, self._page = mailer, hub, notices, site, page

    async def send(self, now: datetime) -> int:
        """Write to whoever was not written to yet; return how many letters the mail server took or refused for good."""
        reached = (await self._notices.unmailed(now))[:MOST]
        done: list[Reached] = []
        letters: list[tuple[Reached, Letter]] = []
        for each in reached:
            username = each.standing.account.name
            try:
                model = await self._hub.user(username)
            except HubApiError as error:
                log.warning("the address of %s was not looked up: %s", username, error)
                continue
            address = address_of(model) if model else None
            if model is None or address is None:
                done.append(each)
                continue
            language = negotiate(Person.from_hub_user(model).language, DEFAULT_LANGUAGE)
            letters.append((each, self.letter(each, address, language)))
        taken = await self._mailer.send([letter for _, letter in letters])
        sent = [each for (each, _), fine in zip(letters, taken, strict=True) if fine]
        if done or sent:
            await self._notices.mailed([*done, *sent])
        return len(sent)

    def letter(self, reached: Reached, address: str, language: Language) -> Letter:
        """Return what is written about one limit."""
        site = self._site.shown_title(language)
        paragraphs = [warning_text(reached.standing, self._site.timezone)]
        if reached.standing.limit.hard:
            paragraphs.append(
                Text("When it is used up, nothing more is started on it, and what runs is stopped after a while.")
            )
        paragraphs.append(Text("What you have used, and when there is more: {page}", page=self._page))
        contact = reached.standing.budget.contact or self._site.contact
        if contact:
            paragraphs.append(Text("To ask for more: {contact}.", contact=contact))
        subject = Text("{site}: {percent} % of your budget is used", site=site, percent=reached.percent)
        return Letter((address,), render(subject, language), "\n\n".join(render(each, language) for each in paragraphs))

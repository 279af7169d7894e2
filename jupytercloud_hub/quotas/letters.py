"""Warnings at 80 and 100 % by e-mail, in each reader's language: to the person whose own budget it is, and of a
budget that people share (a group's, an organization's) to those who manage it.

Where the operator switched it on and an address is known; at least once, as long as it is true.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..contracts.person import Person
from ..contracts.text import DEFAULT_LANGUAGE, Language, Text
from ..hubapi import HubApi, HubApiError
from ..settings.quotas import Managers
from ..settings.site import SiteSettings
from ..web.i18n import negotiate, render
from ..web.mail import MOST, Letter, Mailer, address_of
from .budgets import Account
from .managing import Authority
from .notices import Notices, Reached
from .words import warning_text, whose

log = logging.getLogger("jupytercloud.quotas")


MANAGERS = 20
"""People who are written to about one shared budget; a pattern that matches half a university is a mistake."""


@dataclass(frozen=True)
class _Reader:
    """Somebody who can be written to."""

    address: str
    language: Language


class Letters:
    """Writes to people who have used much of a budget of their own, and to the managers of a shared one."""

    def __init__(
        self,
        mailer: Mailer,
        hub: HubApi,
        notices: Notices,
        site: SiteSettings,
        page: str,
        managers: Sequence[Managers] = (),
    ) -> None:
        self._mailer, self._hub, self._notices, self._site, self._page = mailer, hub, notices, site, page
        self._managers = managers

    async def send(self, now: datetime) -> int:
        """Write to whoever was not written to yet; return how many letters the mail server took or refused for good.

        Of several managers one who was reached is enough: the others are not written to again.
        """
        reached = (await self._notices.unmailed(now))[:MOST]
        shared = [each for each in reached if each.standing.account.kind != "person"]
        readers = await self._readers_of([each.standing.account for each in shared])
        done: list[Reached] = []
        letters: list[tuple[Reached, Letter]] = []
        for each in reached:
            account = each.standing.account
            found = readers.get(account) if each in shared else await self._person(account.name)
            if found is None:  # the hub was not asked: later
                continue
            if not found:
                done.append(each)
            letters += [(each, self.letter(each, reader.address, reader.language)) for reader in found]
        taken = await self._mailer.send([letter for _, letter in letters])
        sent = [each for (each, _), fine in zip(letters, taken, strict=True) if fine]
        if done or sent:
            await self._notices.mailed([*done, *dict.fromkeys(sent)])
        return len(sent)

    async def _person(self, username: str) -> list[_Reader] | None:
        try:
            model = await self._hub.user(username)
        except HubApiError as error:
            log.warning("the address of %s was not looked up: %s", username, error)
            return None
        return _readers([model] if model else [])

    async def _readers_of(self, accounts: Sequence[Account]) -> dict[Account, list[_Reader]]:
        """Return the managers of each shared budget, found among all that the hub knows; empty: nobody manages it."""
        found: dict[Account, list[_Reader]] = {account: [] for account in accounts}
        if not accounts or not self._managers:
            return found
        try:
            async for model in self._hub.users():
                person = Person.from_hub_user(model)
                authority = Authority(person.model_copy(update={"admin": False}), self._managers)
                for account in found if authority.any else ():
                    if authority.shared(account):
                        found[account] += _readers([model])
        except HubApiError as error:
            log.warning("the managers of budgets were not looked up: %s", error)
            return {}
        for account, readers in found.items():
            if len(readers) > MANAGERS:
                log.warning("%s has %d managers: %d are written to", account, len(readers), MANAGERS)
        return {account: readers[:MANAGERS] for account, readers in found.items()}

    def letter(self, reached: Reached, address: str, language: Language) -> Letter:
        """Return what is written about one limit."""
        site = self._site.shown_title(language)
        account = reached.standing.account
        mine = account.kind == "person"
        paragraphs = [warning_text(reached.standing, self._site.timezone)]
        if reached.standing.limit.hard:
            paragraphs.append(
                Text("When it is used up, nothing more is started on it, and what runs is stopped after a while.")
            )
        paragraphs.append(
            Text("What you have used, and when there is more: {page}", page=self._page)
            if mine
            else Text("You manage this budget. Who used it, and how to give more: {page}", page=f"{self._page}manage")
        )
        contact = reached.standing.budget.contact or self._site.contact
        if contact:
            paragraphs.append(Text("To ask for more: {contact}.", contact=contact))
        subject = (
            Text("{site}: {percent} % of your budget is used", site=site, percent=reached.percent)
            if mine
            else Text(
                "{site}: {percent} % of {whose} is used", site=site, percent=reached.percent, whose=whose(account)
            )
        )
        return Letter((address,), render(subject, language), "\n\n".join(render(each, language) for each in paragraphs))


def _readers(models: Sequence[Mapping[str, Any]]) -> list[_Reader]:
    return [
        _Reader(address, negotiate(Person.from_hub_user(model).language, DEFAULT_LANGUAGE))
        for model in models
        if (address := address_of(model))
    ]

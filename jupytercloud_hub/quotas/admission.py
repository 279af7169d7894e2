"""Answers the spawner: reserve, confirm, release (`contracts.admission` has the promises)."""

from __future__ import annotations

from datetime import datetime

from ..contracts.admission import AdmissionAnswer, Confirm, Release, Reserve
from ..contracts.text import LANGUAGES, Language, Text
from ..settings.quotas import Budget, Limit, QuotasSettings
from ..settings.site import SiteSettings
from ..web.errors import PublicError
from ..web.i18n import render
from .budgets import Refused, Standing, accounts_of, judge, levels_reached
from .ledger import Ledger, moment_of, seconds_of
from .pricing import use
from .shared_limits import SharedLimits
from .tables import DROPPED, PLACE, RUNNING
from .usage import Reader
from .windows import span
from .words import refusal_text, warning_text


class Admission:
    """Judges starts against the budgets, and keeps their places in the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        reader: Reader,
        settings: QuotasSettings,
        site: SiteSettings,
        shared: SharedLimits | None = None,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._settings = settings
        self._site = site
        self._shared = shared

    async def answer(self, message: Reserve | Confirm | Release, now: datetime) -> AdmissionAnswer:
        """Return the answer to a message. Raises `PublicError` 422 or 409 for one that can't be followed."""
        if message.key.hub != self._ledger.hub:
            raise PublicError(
                422,
                "other-hub",
                Text("Another hub's server"),
                Text("This ledger is that of {here}, not of {hub}.", here=self._ledger.hub, hub=message.key.hub),
            )
        match message:
            case Reserve():
                return await self._reserve(message, now)
            case Confirm():
                return await self._confirm(message)
            case Release():
                return await self._release(message, now)

    async def _reserve(self, message: Reserve, now: datetime) -> AdmissionAnswer:
        if message.person.username != message.key.user:
            raise PublicError(
                422, "other-person", Text("Another person's server"), Text("person.username is not key.user.")
            )
        accounts = accounts_of(message.person, self._ledger.hub)
        async with self._ledger.writing() as session:
            known = await self._ledger.find(session, message.key)
            if known is not None:
                expires = moment_of(known.expires_s) if known.expires_s else None
                return AdmissionAnswer(verdict="admitted", expires=expires)
            await self._ledger.lapse(session, now, message.key)
            standings, holdings = await self._reader.standings(session, accounts, message.person, now, message.key)
            resources = message.record.resources
            least = self._ledger.prices.least(message.record, self._settings.least, now)
            refused = judge(resources, least, standings, holdings)
            if refused:
                return self._refuse(refused, message.language)
            elsewhere = await self._shared.judge(session, message, now) if self._shared else None
            if elsewhere is not None:
                return elsewhere
            expires = moment_of(seconds_of(now + self._settings.place))
            await self._ledger.open(session, message.key, message.record, accounts, place_until=expires)
        reached = [each for each in standings if levels_reached(each, self._settings.warn_at)]
        warning = max(reached, key=lambda standing: standing.percent, default=None)
        text_of = warning_text(warning, self._site.timezone) if warning else None
        if text_of is None and self._shared:
            text_of = self._shared.warning(message, now)
        return AdmissionAnswer(
            verdict="admitted",
            expires=expires,
            message=render(text_of, message.language) if text_of else None,
        )

    def _refuse(self, refused: Refused, language: Language) -> AdmissionAnswer:
        contact = refused.budget.contact or self._site.contact
        text = refusal_text(refused, self._settings.least, contact, self._site.timezone)
        return AdmissionAnswer(verdict="refused", message=render(text, language).strip(), refusal=refused.refusal)

    async def rehearse(self, message: Reserve, now: datetime) -> None:
        """Go through a reserve and a refusal without keeping anything."""
        accounts = accounts_of(message.person, self._ledger.hub)
        limit = Limit(units=0, hard=True)
        budget = Budget(name="rehearsal", limits=(limit,))
        days = span(limit.window, now, self._ledger.prices.zone)
        standing = Standing(accounts[0], budget, limit, days, used=0)
        resources = message.record.resources
        refused = judge(resources, use(resources, 1, 1), [standing], [])
        async with self._ledger.writing() as session:
            await self._ledger.find(session, message.key)
            await self._ledger.lapse(session, now)
            await self._reader.standings(session, accounts, message.person, now, message.key)
            await self._ledger.open(session, message.key, message.record, accounts, place_until=now)
            await session.rollback()
        for language in LANGUAGES:
            if refused:
                self._refuse(refused, language)

    async def _confirm(self, message: Confirm) -> AdmissionAnswer:
        async with self._ledger.writing() as session:
            interval = await self._ledger.find(session, message.key)
            lapsed = interval is not None and interval.state == DROPPED and interval.closed_by == "expiry"
            if interval is None or (interval.state not in (PLACE, RUNNING) and not lapsed):
                raise PublicError(
                    409,
                    "not-reserved",
                    Text("No such place"),
                    Text("This start was never reserved, or is over."),
                )
            await self._ledger.begin(session, interval)
        return AdmissionAnswer(verdict="confirmed")

    async def _release(self, message: Release, now: datetime) -> AdmissionAnswer:
        async with self._ledger.writing() as session:
            interval = await self._ledger.find(session, message.key)
            if interval is not None:
                if message.ran and interval.state in (PLACE, DROPPED) and interval.closed_by != "release":
                    await self._ledger.begin(session, interval)
                await self._ledger.close(session, interval, min(message.ended or now, now), "release")
        return AdmissionAnswer(verdict="released")

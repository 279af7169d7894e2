"""Since when an account has reached 80 or 100 % of a limit, and which servers are to be stopped for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.person import Person
from ..contracts.stops import StopRequest
from ..contracts.text import LANGUAGES
from ..settings.quotas import Limit
from ..web.i18n import render
from .budgets import Account, Standing, budget_of, levels_reached, stop_at
from .ledger import Ledger, moment_of, resources_of, seconds_of
from .pricing import counts_on
from .tables import Interval, Live, Notice
from .usage import Reader, running_of
from .words import stop_text

USED_UP = 100
_AT_ONCE = 200
"""Accounts in one question to the database."""
_Key = tuple[str, str, str, str, int]
PersonOf = Callable[[str], Person | None]
"""Finds a person by username, as the hub last described her; None where it does not know her."""


@dataclass(frozen=True)
class Reached:
    """A limit of which somebody has used so many percent."""

    standing: Standing
    percent: int


def name_of(limit: Limit) -> str:
    """Return what tells a limit from the others of its budget."""
    window = limit.window if isinstance(limit.window, str) else f"{limit.window.days} d"
    return f"{window}/{limit.measure}/{limit.gpu_type or ''}"


async def live_accounts(session: AsyncSession, hub: str) -> list[Account]:
    """Return the accounts that have something running or starting."""
    query = select(Live.kind, Live.name).where(Live.hub == hub).distinct()
    return sorted(Account(kind, name) for kind, name in (await session.execute(query)).all())  # type: ignore[arg-type]


class Notices:
    """Keeps the notices of one hub in step with what is used."""

    def __init__(self, ledger: Ledger, reader: Reader, person_of: PersonOf) -> None:
        self._ledger = ledger
        self._reader = reader
        self._person_of = person_of

    async def refresh(self, now: datetime) -> Counter[tuple[str, int]]:
        """Add the notices that have become due, take away those that no longer hold; count them by kind and percent."""
        async with self._ledger.writing() as session:
            rows = (await session.execute(select(Notice).where(Notice.hub == self._ledger.hub))).scalars()
            present: dict[_Key, Notice] = {(row.kind, row.name, row.rule, row.counts, row.percent): row for row in rows}
            accounts = {Account(key[0], key[1]) for key in present}  # type: ignore[arg-type]
            accounts.update(await live_accounts(session, self._ledger.hub))
            due: set[_Key] = set()
            for standing in await self._standings(session, sorted(accounts), now):
                for level in levels_reached(standing, [*self._reader.settings.warn_at, USED_UP]):
                    account = standing.account
                    due.add((account.kind, account.name, standing.budget.name, name_of(standing.limit), level))
            for key in due - present.keys():
                kind, name, rule, counts, percent = key
                session.add(
                    Notice(
                        hub=self._ledger.hub,
                        kind=kind,
                        name=name,
                        rule=rule,
                        counts=counts,
                        percent=percent,
                        since_s=seconds_of(now),
                        mailed=False,
                    )
                )
            for key in present.keys() - due:
                await session.delete(present[key])
        accounts_at = {(kind, name, percent) for kind, name, _, _, percent in due}
        return Counter((kind, percent) for kind, _, percent in accounts_at)

    async def unmailed(self, now: datetime) -> list[Reached]:
        """Return what accounts have reached and nobody was written to about: of each limit the highest percentage."""
        async with self._ledger.database.reading() as session:
            query = select(Notice).where(Notice.hub == self._ledger.hub, Notice.mailed.is_(False))
            rows = list((await session.execute(query.order_by(Notice.percent))).scalars())
            levels = {(Account(row.kind, row.name), row.rule, row.counts): row.percent for row in rows}  # type: ignore[arg-type]
            accounts = sorted({account for account, _, _ in levels})
            return [
                Reached(standing, levels[key])
                for standing in await self._standings(session, accounts, now)
                if (key := (standing.account, standing.budget.name, name_of(standing.limit))) in levels
            ]

    async def mailed(self, done: Sequence[Reached]) -> None:
        """Note that nothing has to be written about these, nor about lower percentages of theirs."""
        async with self._ledger.writing() as session:
            for each in done:
                account, standing = each.standing.account, each.standing
                await session.execute(
                    update(Notice)
                    .where(
                        Notice.hub == self._ledger.hub,
                        Notice.kind == account.kind,
                        Notice.name == account.name,
                        Notice.rule == standing.budget.name,
                        Notice.counts == name_of(standing.limit),
                        Notice.percent <= each.percent,
                    )
                    .values(mailed=True)
                )

    async def stops(self, now: datetime, zone: str) -> list[StopRequest]:
        """Return the servers that a hard budget no longer carries, each with the earliest stop."""
        found: dict[int, StopRequest] = {}
        async with self._ledger.database.reading() as session:
            query = select(Notice).where(Notice.hub == self._ledger.hub, Notice.percent == USED_UP)
            since = {
                (row.kind, row.name, row.rule, row.counts): moment_of(row.since_s)
                for row in (await session.execute(query)).scalars()
            }
            accounts = sorted({Account(kind, name) for kind, name, _, _ in since})  # type: ignore[arg-type]
            for standing in await self._standings(session, accounts, now):
                account = standing.account
                key = (account.kind, account.name, standing.budget.name, name_of(standing.limit))
                at = stop_at(standing, since.get(key))
                if at is None:
                    continue
                for interval in await running_of(session, self._ledger.hub, account):
                    if not counts_on(resources_of(interval), standing.limit):
                        continue
                    if interval.id not in found or at < found[interval.id].at:
                        found[interval.id] = _request(interval, standing, at, zone)
        return list(found.values())

    async def _standings(self, session: AsyncSession, accounts: Sequence[Account], now: datetime) -> list[Standing]:
        budgets = []
        for account in accounts:
            person = self._person_of(account.name) if account.kind == "person" else None
            budget = budget_of(account, person, self._reader.settings.budgets)
            if budget is not None and budget.limits:
                budgets.append((account, budget))
        standings: list[Standing] = []
        for start in range(0, len(budgets), _AT_ONCE):
            found, _ = await self._reader.standings_in(session, budgets[start : start + _AT_ONCE], now)
            standings.extend(found)
        return standings


def _request(interval: Interval, standing: Standing, at: datetime, zone: str) -> StopRequest:
    text = stop_text(standing, zone)
    return StopRequest(
        user=interval.user,
        server=interval.server,
        started=started_of(interval),
        at=at,
        rule=standing.budget.name,
        reason={language: render(text, language) for language in LANGUAGES},
    )


def started_of(interval: Interval) -> datetime:
    """Return the hub's `started` of an interval, to the microsecond."""
    whole, rest = divmod(interval.started_us, 1_000_000)
    return moment_of(whole).replace(microsecond=rest)


async def forget(session: AsyncSession, hub: str, account: Account) -> None:
    """Remove the notices of an account."""
    await session.execute(
        delete(Notice).where(Notice.hub == hub, Notice.kind == account.kind, Notice.name == account.name)
    )

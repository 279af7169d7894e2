"""Who may see and enlarge which budgets: administrators everything, managers their groups and organizations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.patterns import matches
from ..contracts.person import Person
from ..settings.quotas import Managers
from .budgets import Account
from .pricing import Usage
from .tables import ByDay, Member, Notice


class Authority:
    """What one person may manage."""

    def __init__(self, person: Person, managers: Sequence[Managers]) -> None:
        self.all = person.admin
        mine = [
            entry
            for entry in managers
            if any(matches(pattern, person.username) for pattern in entry.people)
            or any(matches(pattern, group) for pattern in entry.members_of for group in person.groups)
        ]
        self._patterns = {
            "group": [pattern for entry in mine for pattern in entry.groups],
            "organization": [pattern for entry in mine for pattern in entry.organizations],
        }

    @property
    def any(self) -> bool:
        """Whether there is anything that the person may manage."""
        return self.all or any(self._patterns.values())

    def shared(self, account: Account) -> bool:
        """Return whether the person manages a group, an organization or the hub."""
        return self.all or any(matches(pattern, account.name) for pattern in self._patterns.get(account.kind, ()))

    async def over(self, session: AsyncSession, hub: str, account: Account) -> bool:
        """Return whether the person manages an account; a person's, if her last start was on one of hers."""
        if account.kind != "person" or self.all:
            return self.shared(account)
        return any(self.shared(each) for each in await last_accounts(session, hub, account.name))


async def last_accounts(session: AsyncSession, hub: str, username: str) -> list[Account]:
    """Return the accounts that a person's last start was on."""
    query = select(Member).where(Member.hub == hub, Member.user == username)
    rows = (await session.execute(query)).scalars().all()
    last = max((row.started_s for row in rows), default=None)
    return [Account(row.kind, row.name) for row in rows if row.started_s == last]  # type: ignore[arg-type]


async def people_of(
    session: AsyncSession, hub: str, account: Account, first: date, end: date, most: int = 500
) -> list[tuple[str, Usage]]:
    """Return who started something on an account, with all that she used in a period, the most first."""
    sums = [func.sum(getattr(ByDay, name)) for name in ("seconds", "cpu", "memory", "gpu", "cost")]
    query = (
        select(Member.user, *sums)
        .join(
            ByDay,
            (ByDay.hub == hub)
            & (ByDay.kind == "person")
            & (ByDay.name == Member.user)
            & (ByDay.day >= first)
            & (ByDay.day < end),
        )
        .where(Member.hub == hub, Member.kind == account.kind, Member.name == account.name)
        .group_by(Member.user)
        .order_by(func.sum(ByDay.cost).desc(), Member.user)
        .limit(most)
    )
    return [(user, Usage(*(int(each) for each in amounts))) for user, *amounts in (await session.execute(query)).all()]


async def shared_accounts(
    session: AsyncSession, hub: str, authority: Authority, first: date, end: date
) -> list[tuple[Account, Usage]]:
    """Return the groups, organizations and hub that a person manages, with what they used, the most first."""
    sums = [func.sum(getattr(ByDay, name)) for name in ("seconds", "cpu", "memory", "gpu", "cost")]
    query = (
        select(ByDay.kind, ByDay.name, *sums)
        .where(ByDay.hub == hub, ByDay.kind != "person", ByDay.day >= first, ByDay.day < end)
        .group_by(ByDay.kind, ByDay.name)
    )
    rows: list[Any] = list((await session.execute(query)).all())
    found = [(Account(kind, name), Usage(*(int(each) for each in amounts))) for kind, name, *amounts in rows]
    mine = [row for row in found if authority.shared(row[0])]
    return sorted(mine, key=lambda row: (row[0].kind != "hub", -row[1].cost, row[0]))


async def warned(session: AsyncSession, hub: str, authority: Authority) -> list[Notice]:
    """Return the notices of the accounts that a person manages, the highest percentages first."""
    query = select(Notice).where(Notice.hub == hub).order_by(Notice.percent.desc(), Notice.since_s)
    highest: dict[tuple[str, str, str, str], Notice] = {}
    for notice in (await session.execute(query)).scalars():
        account = Account(notice.kind, notice.name)  # type: ignore[arg-type]
        key = (notice.kind, notice.name, notice.rule, notice.counts)
        if key not in highest and await authority.over(session, hub, account):
            highest[key] = notice
    return list(highest.values())

"""Which budgets an account has, where it stands in them, and whether one more server fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..contracts.admission import Refusal
from ..contracts.patterns import matches
from ..contracts.person import Person
from ..contracts.server_record import Resources
from ..settings.quotas import AccountKind, Budget, Limit
from .pricing import COLUMN, Usage, counts_on, from_hours, to_hours
from .windows import Span


@dataclass(frozen=True, order=True)
class Account:
    """Who is charged: a person, each of her groups, her home organization, the hub."""

    kind: AccountKind
    name: str


@dataclass(frozen=True)
class Holding:
    """What an account has running or starting at a moment."""

    servers: int = 0
    cpu: int = 0
    """Thousandths of a core."""
    gpu: int = 0


@dataclass(frozen=True)
class Standing:
    """Where an account stands in one limit of its budget; amounts are the ledger's whole numbers."""

    account: Account
    budget: Budget
    limit: Limit
    span: Span
    used: int
    """Counted in the window so far."""
    held: int = 0
    """Promised to servers that run or start, and not yet counted."""
    granted: int = 0
    """Given on top of the limit."""

    @property
    def total(self) -> int:
        """The limit with what was granted."""
        return from_hours(self.limit.measure, self.limit.amount) + self.granted

    @property
    def left(self) -> int:
        """What is neither used nor promised; never below zero."""
        return max(0, self.total - self.used - self.held)

    @property
    def percent(self) -> int:
        """How much of the total is used, in whole percent, cut; 100 where the total is nothing."""
        return 100 * self.used // self.total if self.total > 0 else 100

    def shown(self, amount: int) -> float:
        """Return one of the amounts in units or hours."""
        return to_hours(self.limit.measure, amount)


@dataclass(frozen=True)
class Refused:
    """Why one more server does not fit."""

    refusal: Refusal
    budget: Budget
    least: Usage
    """What the start was asked to have left."""


def accounts_of(person: Person, hub: str) -> tuple[Account, ...]:
    """Return everybody who is charged for a person's server, herself first."""
    own = [Account("person", person.username)]
    groups = [Account("group", name) for name in sorted(set(person.groups))]
    organization = [Account("organization", person.home_organization)] if person.home_organization else []
    return (*own, *groups, *organization, Account("hub", hub))


def budget_of(account: Account, person: Person | None, budgets: Sequence[Budget]) -> Budget | None:
    """Return the first budget that matches an account; ``person`` is the owner of a person's account.

    A person whom nobody describes (she left, and only her usage is known) matches by name alone.
    """
    return next((budget for budget in budgets if _applies(budget, account, person)), None)


def _applies(budget: Budget, account: Account, person: Person | None) -> bool:
    def one_of(patterns: Iterable[str], values: Iterable[str]) -> bool:
        values = tuple(values)
        return not patterns or any(matches(pattern, value) for pattern in patterns for value in values)

    organization = person.home_organization if person else None
    return (
        budget.account == account.kind
        and one_of(budget.names, (account.name,))
        and one_of(budget.affiliations, person.affiliations if person else ())
        and one_of(budget.groups, person.groups if person else ())
        and one_of(budget.organizations, (organization,) if organization else ())
    )


def judge(
    resources: Resources,
    least: Usage,
    standings: Sequence[Standing],
    holdings: Sequence[tuple[Account, Budget, Holding]],
) -> Refused | None:
    """Return why a server of ``resources`` may not start, or None.

    ``least`` is what it uses in the running time that must be left to it. A limit refuses only what counts
    on it: without a GPU a server starts however few GPU-hours are left, and so does one that costs nothing.
    """
    for account, budget, holding in holdings:
        refusal = _too_much_at_once(resources, account, budget, holding)
        if refusal:
            return Refused(refusal, budget, least)
    for standing in standings:
        asked = getattr(least, COLUMN[standing.limit.measure])
        if not standing.limit.hard or not counts_on(resources, standing.limit) or not asked:
            continue
        if standing.left < asked:
            return Refused(_used_up(standing, asked), standing.budget, least)
    return None


def _too_much_at_once(resources: Resources, account: Account, budget: Budget, holding: Holding) -> Refusal | None:
    most = budget.concurrent
    asked: tuple[tuple[str, float | None, float, float], ...] = (
        ("servers", most.servers, holding.servers, 1),
        ("cpu", most.cpu, holding.cpu / 1000, resources.cpu),
        ("gpu", most.gpu, holding.gpu, resources.gpu),
    )
    for measure, limit, used, more in asked:
        if limit is not None and more and used + more > limit + 1e-9:
            return Refusal(
                rule=budget.name,
                account=account.kind,
                name=account.name,
                measure=measure,
                limit=limit,
                used=used,
                asked=more,
            )
    return None


def _used_up(standing: Standing, asked: int) -> Refusal:
    return Refusal(
        rule=standing.budget.name,
        account=standing.account.kind,
        name=standing.account.name,
        measure=standing.limit.measure,
        limit=standing.shown(standing.total),
        used=standing.shown(standing.used + standing.held),
        asked=standing.shown(asked),
        resets=standing.span.resets,
    )


def levels_reached(standing: Standing, warn_at: Sequence[int]) -> tuple[int, ...]:
    """Return the percentages of ``warn_at`` that a standing has reached, in rising order."""
    return tuple(level for level in sorted(set(warn_at)) if standing.percent >= level)


def stop_at(standing: Standing, used_up_since: datetime | None) -> datetime | None:
    """Return when what runs on a hard limit is to be stopped, None while there is no need."""
    if used_up_since is None or not standing.limit.hard or standing.used < standing.total:
        return None
    return used_up_since + standing.limit.grace

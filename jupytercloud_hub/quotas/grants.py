"""More of something for an account, for a time: given with a reason, by a name, and withdrawn the same way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import Literal

from pydantic import AwareDatetime, Field, model_validator
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.instant import Instant
from ..contracts.model import Model
from ..settings.quotas import AccountKind, Measure
from .budgets import Account
from .ledger import moment_of, seconds_of
from .pricing import from_hours, to_hours
from .tables import Grant
from .windows import DAY, day_start


class GrantRequest(Model):
    """What somebody gives."""

    account: AccountKind
    name: str = Field(min_length=1, max_length=255, description="A username, a group, an organization or the hub.")
    measure: Measure = "units"
    gpu_type: str | None = Field(default=None, min_length=1, max_length=64)
    amount: float = Field(gt=0, le=10_000_000, allow_inf_nan=False, description="In `measure`.")
    reason: str = Field(min_length=1, max_length=500)
    begins: Instant | None = Field(default=None, description="Now where left out.")
    ends: Instant = Field(description="First moment at which it no longer counts.")

    @model_validator(mode="after")
    def _a_time_and_a_reason(self) -> GrantRequest:
        if self.begins is not None and self.begins >= self.ends:
            raise ValueError("ends is to come after begins")
        if self.gpu_type is not None and self.measure != "gpu_hours":
            raise ValueError("gpu_type goes with gpu_hours")
        if not self.reason.strip():
            raise ValueError("a reason is needed: it is what the next person reads")
        return self


class GrantView(Model):
    """A grant as it is kept."""

    id: int
    account: AccountKind
    name: str
    measure: Measure
    gpu_type: str | None
    amount: float
    reason: str
    granted_by: str
    granted: AwareDatetime
    begins: AwareDatetime
    ends: AwareDatetime
    state: Literal["future", "counts", "over"]


class GrantList(Model):
    """The answer to ``GET api/v1/grants``."""

    grants: tuple[GrantView, ...]


def day_end(day: date, zone: tzinfo) -> datetime:
    """Return the end of a local day: what "until that day" means."""
    return day_start(day + DAY, zone)


async def give(session: AsyncSession, hub: str, request: GrantRequest, by: str, now: datetime) -> Grant:
    """Keep a grant; it counts from ``begins`` on, or from now."""
    begins = seconds_of(request.begins or now)
    grant = Grant(
        hub=hub,
        kind=request.account,
        name=request.name,
        measure=request.measure,
        gpu_type=request.gpu_type or "",
        amount=from_hours(request.measure, request.amount),
        reason=request.reason.strip(),
        granted_by=by,
        granted_s=seconds_of(now),
        begins_s=begins,
        ends_s=max(begins, seconds_of(request.ends)),
    )
    session.add(grant)
    await session.flush()
    return grant


async def withdraw(session: AsyncSession, hub: str, number: int, now: datetime) -> Grant | None:
    """End a grant now; one that is over stays as it is. None where there is no such grant."""
    grant = await find(session, hub, number)
    if grant is not None:
        grant.ends_s = min(grant.ends_s, max(seconds_of(now), grant.begins_s))
    return grant


async def find(session: AsyncSession, hub: str, number: int) -> Grant | None:
    """Return one grant."""
    query = select(Grant).where(Grant.hub == hub, Grant.id == number)
    return (await session.execute(query)).scalar_one_or_none()


async def grants_of(session: AsyncSession, hub: str, account: Account | None = None) -> Sequence[Grant]:
    """Return the grants of an account, or all of them; the newest first."""
    query = select(Grant).where(Grant.hub == hub).order_by(Grant.id.desc())
    if account is not None:
        query = query.where(Grant.kind == account.kind, Grant.name == account.name)
    return (await session.execute(query)).scalars().all()


def grant_view(grant: Grant, now: datetime) -> GrantView:
    """Return a grant as programs read it."""
    moment = seconds_of(now)
    state: Literal["future", "counts", "over"] = "counts"
    if grant.begins_s > moment:
        state = "future"
    if grant.ends_s <= moment:
        state = "over"
    return GrantView(
        id=grant.id,
        account=grant.kind,
        name=grant.name,
        measure=grant.measure,
        gpu_type=grant.gpu_type or None,
        amount=to_hours(grant.measure, grant.amount),  # type: ignore[arg-type]
        reason=grant.reason,
        granted_by=grant.granted_by,
        granted=moment_of(grant.granted_s),
        begins=moment_of(grant.begins_s),
        ends=moment_of(grant.ends_s),
        state=state,
    )

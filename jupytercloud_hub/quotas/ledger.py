"""The usage ledger: one interval for each start of a server, and sums that always agree with the intervals.

Promises, each with its test:

1. What is counted of an interval and how far it is counted change in one transaction: killed at any moment,
   the ledger has lost what came after the last look, and has nothing twice.
2. Time is counted up to a moment at which the server was seen; that moment never moves backwards.
3. Every call may be repeated.
4. Calls of several processes are carried out one after the other, so that two can't both take the last hour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.admission import StartKey
from ..contracts.server_record import Resources, ServerRecord
from ..profiles.catalogue import Profile
from ..settings.quotas import Tariff
from ..storage import Database
from .budgets import Account
from .pricing import HOUR, MIB, Usage, by_day, rate, tariff_on, to_hours, use
from .tables import CLOSED, DROPPED, PLACE, RUNNING, ByDay, ByMonth, ByProfile, Interval, Live, Member, SumTable
from .windows import local_day, month_of

_LEDGER_LOCK = 0x71756F746173  # any constant: all processes that write one PostgreSQL ledger share it
_BATCH = 100
"""Intervals counted in one transaction: an admission waits no longer than for these."""
AMOUNTS = ("seconds", "cpu", "memory", "gpu", "cost")
"""The whole numbers of `Usage`, as columns."""
SUMS = (*AMOUNTS, "starts")


# made once: with an admission as short as it is, making them is a good part of it
_FIND = select(Interval).where(
    *(getattr(Interval, name) == bindparam(name) for name in ("hub", "user", "server", "started_us"))
)
_LAPSED = select(Interval).where(
    Interval.hub == bindparam("hub"),
    Interval.state == PLACE,
    or_(
        Interval.expires_s <= bindparam("moment"),
        and_(
            Interval.user == bindparam("user"),
            Interval.server == bindparam("server"),
            Interval.started_us < bindparam("started_us"),
        ),
    ),
)


def seconds_of(moment: datetime) -> int:
    """Return the whole second that a moment is in, since 1970."""
    return int(moment.timestamp() // 1)


def microseconds_of(moment: datetime) -> int:
    """Return a moment's microseconds since 1970, exactly."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment_of(seconds: int) -> datetime:
    """Return the moment, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def resources_of(interval: Interval) -> Resources:
    """Return what an interval holds."""
    return resources_kept(interval.cpu, interval.memory, interval.gpu, interval.gpu_type)


def resources_kept(cpu: int, memory: int, gpu: int, gpu_type: str) -> Resources:
    """Return resources from the whole numbers of an interval: thousandths of a core, MiB, GPUs and their type."""
    return Resources(cpu=cpu / 1000, memory=memory * MIB, gpu=gpu, gpu_type=gpu_type or None)


@dataclass(frozen=True)
class Prices:
    """What a ledger needs to price a day: the tariffs, and the clock by which days begin."""

    tariffs: Sequence[Tariff]
    zone: tzinfo
    classes: Mapping[str, str] = field(default_factory=dict)
    """The price class of each profile that has one."""

    def class_of(self, profile: str) -> str:
        """Return the price class of a profile; empty where it has none, or is not in the catalogue any more."""
        return self.classes.get(profile, "")

    def rate_at(self, resources: Resources, moment: datetime, price_class: str = "") -> int:
        """Return what a server costs at a moment, in millionths of a unit per hour."""
        return rate(resources, tariff_on(local_day(moment, self.zone), self.tariffs), price_class)

    def by_profile(self, profiles: Iterable[Profile], moment: datetime) -> dict[str, float]:
        """Return the units for an hour of each profile's server as the catalogue has it, without options."""
        return {
            profile.name: to_hours(
                "units", self.rate_at(profile.resources.counted(), moment, self.class_of(profile.name)) * HOUR
            )
            for profile in profiles
            if not profile.abstract
        }

    def least(self, record: ServerRecord, length: timedelta, moment: datetime) -> Usage:
        """Return what a server uses in ``length`` at the price of a moment."""
        resources = record.resources
        rate = self.rate_at(resources, moment, self.class_of(record.profile))
        return use(resources, round(length.total_seconds()), rate)


def server_of(starting: StartKey | None) -> dict[str, Any]:
    """Return the parameters by which older intervals of a server that starts are found; None: those of no server."""
    if starting is None:
        return {"user": "", "server": "", "started_us": 0}
    started = microseconds_of(starting.started)
    return {"user": starting.user, "server": starting.server, "started_us": started}


class Ledger:
    """The intervals of one hub."""

    def __init__(self, database: Database, hub: str, prices: Prices) -> None:
        self.database = database
        self.hub = hub
        self.prices = prices

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Give a session in which nobody else writes to the ledger (a SQLite session is so by itself)."""
        async with self.database.session() as session:
            if not self.database.is_sqlite:
                await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LEDGER_LOCK})
            yield session

    async def find(self, session: AsyncSession, key: StartKey) -> Interval | None:
        """Return the interval of a start."""
        values = {
            "hub": key.hub,
            "user": key.user,
            "server": key.server,
            "started_us": microseconds_of(key.started),
        }
        return (await session.execute(_FIND, values)).scalar_one_or_none()

    async def open(
        self,
        session: AsyncSession,
        key: StartKey,
        record: ServerRecord,
        accounts: Iterable[Account],
        *,
        place_until: datetime | None = None,
    ) -> Interval:
        """Add an interval: a place that lapses at ``place_until``, or one that runs."""
        begin = seconds_of(key.started)
        resources = record.resources
        interval = Interval(
            hub=key.hub,
            user=key.user,
            server=key.server,
            started_us=microseconds_of(key.started),
            state=PLACE if place_until else RUNNING,
            profile=record.profile,
            cpu=round(resources.cpu * 1000),
            memory=-(-resources.memory // MIB),
            gpu=resources.gpu,
            gpu_type=resources.gpu_type or "",
            price_class=self.prices.class_of(record.profile),
            rate=self.prices.rate_at(resources, key.started, self.prices.class_of(record.profile)),
            begin_s=begin,
            counted_s=begin,
            expires_s=seconds_of(place_until) if place_until else None,
            accounts=[[account.kind, account.name] for account in accounts],
        )
        session.add(interval)
        await session.flush()
        await self._live(session, interval)
        await self._member(session, interval)
        if interval.state == RUNNING:
            await self._add(session, [(interval, self._began(interval))])
        return interval

    async def begin(self, session: AsyncSession, interval: Interval) -> None:
        """Let a place run, also one that lapsed although its server did start; once."""
        if interval.state == RUNNING:
            return
        if interval.state != PLACE:
            await self._live(session, interval)
        began = interval.counted_s == interval.begin_s and interval.state in (PLACE, DROPPED)
        interval.state, interval.expires_s, interval.ended_s, interval.closed_by = RUNNING, None, None, None
        if began:
            await self._add(session, [(interval, self._began(interval))])

    async def count(self, session: AsyncSession, intervals: Iterable[Interval], until: datetime) -> None:
        """Put the time up to ``until`` of intervals that run into the sums."""
        moment = seconds_of(until)
        sums = []
        for interval in intervals:
            if interval.state == RUNNING and interval.counted_s < moment:
                resources = resources_of(interval)
                sums.append((interval, self._used(interval, interval.counted_s, moment)))
                interval.counted_s = moment
                interval.rate = self.prices.rate_at(resources, until, interval.price_class)
        await self._add(session, sums)

    async def close(self, session: AsyncSession, interval: Interval, ended: datetime, by: str) -> None:
        """End an interval: one that runs is counted to ``ended``, a place is dropped uncounted."""
        if interval.state == RUNNING:
            await self.count(session, [interval], ended)
            interval.state, interval.ended_s, interval.closed_by = CLOSED, interval.counted_s, by
        elif interval.state == PLACE:
            interval.state, interval.ended_s, interval.closed_by = DROPPED, interval.begin_s, by
        else:
            return
        interval.expires_s = None
        await session.execute(delete(Live).where(Live.interval_id == interval.id))

    async def lapse(self, session: AsyncSession, now: datetime, starting: StartKey | None = None) -> int:
        """Drop the places whose time is over; return how many.

        ``starting``: a server that starts anew. A hub starts it once at a time: an older place of that very server is
        of a start that failed while the release could not be told.
        """
        values = {"hub": self.hub, "moment": seconds_of(now), **server_of(starting)}
        lapsed = list((await session.execute(_LAPSED, values)).scalars())
        for interval in lapsed:
            await self.close(session, interval, now, "expiry")
        return len(lapsed)

    async def shift(self, session: AsyncSession, step: int, last: datetime, until: datetime) -> None:
        """Date what is open anew after the clock was set by ``step`` seconds.

        ``last`` is when the clock was last known to be right, ``until`` what it would show now. What was never
        counted and began outside of this time began after the step, and is dated right already.
        """
        first_s, last_s = seconds_of(last) - 1, seconds_of(until) + 1
        for interval in await self.open_ones(session):
            if (
                interval.counted_s > interval.begin_s
                or first_s <= interval.begin_s <= last_s
                or (step > 0 and interval.begin_s < first_s)
            ):
                interval.begin_s += step
                interval.counted_s += step
                if interval.expires_s is not None:
                    interval.expires_s += step

    async def open_ones(self, session: AsyncSession) -> list[Interval]:
        """Return the intervals that are not over."""
        query = select(Interval).where(Interval.hub == self.hub, Interval.state.in_((PLACE, RUNNING)))
        return list((await session.execute(query.order_by(Interval.id))).scalars())

    async def latest_starts(self, users: Sequence[str]) -> dict[tuple[str, str], int]:
        """Return the id of the last start of each server of some people: (user, server) → interval.

        The last that was heard of, not the one with the latest date: a clock may have been set back meanwhile.
        """
        query = (
            select(Interval.user, Interval.server, func.max(Interval.id))
            .where(Interval.hub == self.hub, Interval.user.in_(users))
            .group_by(Interval.user, Interval.server)
        )
        async with self.database.reading() as session:
            return {(user, server): int(last) for user, server, last in (await session.execute(query)).all()}

    async def batches(self, ids: Sequence[int]) -> AsyncIterator[tuple[AsyncSession, list[Interval]]]:
        """Give the intervals in small numbers, each in a transaction of its own."""
        for start in range(0, len(ids), _BATCH):
            async with self.writing() as session:
                query = select(Interval).where(Interval.id.in_(ids[start : start + _BATCH]))
                yield session, list((await session.execute(query)).scalars())

    def _used(self, interval: Interval, begin_s: int, end_s: int) -> list[tuple[date, Usage, int]]:
        prices = self.prices
        days = by_day(resources_of(interval), begin_s, end_s, prices.tariffs, prices.zone, interval.price_class)
        return [(day, usage, 0) for day, usage in days]

    def _began(self, interval: Interval) -> list[tuple[date, Usage, int]]:
        return [(local_day(moment_of(interval.begin_s), self.prices.zone), Usage(), 1)]

    async def _live(self, session: AsyncSession, interval: Interval) -> None:
        rows = [
            {"interval_id": interval.id, "kind": kind, "name": name, "hub": interval.hub}
            for kind, name in interval.accounts
        ]
        await session.execute(insert(Live), rows)

    async def _member(self, session: AsyncSession, interval: Interval) -> None:
        dialect: Any = sqlite if self.database.is_sqlite else postgresql
        statement = dialect.insert(Member.__table__)
        statement = statement.on_conflict_do_update(
            index_elements=["hub", "kind", "name", "user"],
            set_={"started_s": statement.excluded.started_s},
            where=Member.started_s < statement.excluded.started_s,
        )
        common = {"hub": interval.hub, "user": interval.user, "started_s": interval.begin_s}
        await session.execute(statement, [{"kind": kind, "name": name, **common} for kind, name in interval.accounts])

    async def _add(self, session: AsyncSession, sums: Iterable[tuple[Interval, list[tuple[date, Usage, int]]]]) -> None:
        profiles: dict[tuple[Any, ...], dict[str, int]] = {}
        days: dict[tuple[Any, ...], dict[str, int]] = {}
        months: dict[tuple[Any, ...], dict[str, int]] = {}
        for interval, used in sums:
            for kind, name in interval.accounts:
                for day, usage, starts in used:
                    account = (interval.hub, kind, name)
                    put(profiles, (*account, day, interval.profile, interval.gpu_type), usage, starts)
                    put(days, (*account, day, interval.gpu_type), usage, starts)
                    put(months, (*account, month_of(day), interval.gpu_type), usage, starts)
        await add_sums(session, self.database.is_sqlite, ByProfile, profiles)
        await add_sums(session, self.database.is_sqlite, ByDay, days)
        await add_sums(session, self.database.is_sqlite, ByMonth, months)


def put(rows: dict[tuple[Any, ...], dict[str, int]], key: tuple[Any, ...], usage: Usage, starts: int) -> None:
    """Add to a row of sums that is being made."""
    row = rows.setdefault(key, dict.fromkeys(SUMS, 0))
    for column in AMOUNTS:
        row[column] += getattr(usage, column)
    row["starts"] += starts


async def add_sums(
    session: AsyncSession,
    is_sqlite: bool,
    table: SumTable,
    rows: dict[tuple[Any, ...], dict[str, int]],
) -> None:
    """Add to the sums of days or months; rows that are not there yet are made."""
    if not rows:
        return
    keys = [column.name for column in table.__table__.primary_key]
    dialect: Any = sqlite if is_sqlite else postgresql
    statement = dialect.insert(table.__table__)
    statement = statement.on_conflict_do_update(
        index_elements=keys,
        set_={column: getattr(table, column) + statement.excluded[column] for column in SUMS},
    )
    values = [dict(zip(keys, key, strict=True)) | sums for key, sums in sorted(rows.items())]
    await session.execute(statement, values)

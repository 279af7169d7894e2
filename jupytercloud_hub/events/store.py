"""What an event remembers, in the database: every method is one transaction, and a restart loses nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..storage import Database
from .hours import Orders
from .pseudonyms import Draw, draw_name
from .purge_plan import Step, Task
from .tables import Code, Happened, Purged, SeatRow, StateRow

PART = "events"
FREE, HELD, RESET = "free", "held", "reset"
GONE = timedelta(seconds=60)
"""Who did not ask for so long is not waiting any more; she finds her place again if she comes back."""
# What every page of a visitor asks: small reads that take no write lock and little of the hub's CPU.
_FIND = select(Code.digest, Code.kind, Code.seat, Code.pseudonym, Code.language, Code.entered_at).where(
    Code.digest == bindparam("digest")
)
_STATE = select(StateRow.value).where(StateRow.name == bindparam("name"))
_HOLDS = select(SeatRow.name).where(SeatRow.name == bindparam("name"), SeatRow.state == bindparam("state"))


@dataclass(frozen=True, slots=True)
class Known:
    """A code that exists."""

    digest: str
    kind: str
    seat: str | None
    pseudonym: str | None
    language: str | None
    entered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A visitor for whom there is no seat yet."""

    place: int
    """1 is the next one."""


@dataclass(frozen=True, slots=True)
class Seating:
    """The seats at an instant."""

    free: tuple[str, ...]
    held: tuple[str, ...]
    reset: tuple[str, ...]
    stuck: dict[str, datetime]
    failed: dict[str, str]
    names: dict[str, str]
    """Seat → pseudonym of who has it."""
    queued: int


class Store:
    """The tables of one event."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def import_codes(self, lines: Iterable[str]) -> int:
        """Take over codes as ``kind digest`` lines; those that are known stay as they are. Return how many are new."""
        given = {digest: kind for kind, digest in (line.split() for line in lines if line.strip())}
        async with self.database.session() as session:
            if await _state(session, "codes-purged"):  # a file that was restored brings no code back
                return 0
            known = set((await session.scalars(select(Code.digest))).all())
            new = [Code(digest=digest, kind=kind) for digest, kind in given.items() if digest not in known]
            session.add_all(new)
        return len(new)

    async def import_seats(self, names: Sequence[str]) -> None:
        """Make the seats that are not there yet; those beyond the number that nobody has go."""
        async with self.database.session() as session:
            if await _state(session, "codes-purged"):
                return
            known = set((await session.scalars(select(SeatRow.name))).all())
            session.add_all(SeatRow(name=name, state=FREE) for name in names if name not in known)
            unwanted = known - set(names)
            if unwanted:
                await session.execute(delete(SeatRow).where(SeatRow.name.in_(unwanted), SeatRow.state == FREE))

    async def find(self, digest: str) -> Known | None:
        """Return what is known of a code; None where there is none."""
        row = await self.database.first(_FIND, {"digest": digest})
        return Known(*row) if row else None

    async def holds(self, seat: str) -> bool:
        """Say whether a seat has a visitor."""
        return await self.database.first(_HOLDS, {"name": seat, "state": HELD}) is not None

    async def issue(self, digest: str, kind: str, most: int) -> bool:
        """Make a code for somebody who came by the open one; False where ``most`` were made."""
        async with self.database.session() as session:
            number = await session.scalar(select(func.count()).select_from(Code).where(Code.kind == kind))
            if (number or 0) >= most:
                return False
            session.add(Code(digest=digest, kind=kind))
        return True

    async def know_login(self, digest: str, kind: str, most: int) -> bool:
        """Note who came by login, and as what now; False where ``most`` came so, or all was purged."""
        async with self.database.session() as session:
            known = await session.get(Code, digest)
            if known is not None and known.kind == kind:
                return True
            number = await session.scalar(select(func.count()).select_from(Code).where(Code.kind == kind))
            if (number or 0) >= most or await _state(session, "codes-purged"):
                return False
            if known is None:
                session.add(Code(digest=digest, kind=kind))
            else:
                known.kind = kind
        return True

    async def enter(
        self, digest: str, now: datetime, ready: Sequence[str], draw: Draw, language: str
    ) -> Known | Waiting | None:
        """Give the code its seat: the one it has, else a free one, one of those that are ready if there is one.

        Who finds none waits, and goes in by the order of first asking; None where the code is gone.
        """
        async with self.database.session() as session:
            code = await session.get(Code, digest)
            if code is None or code.seat is not None:
                return _known(code)
            free = list((await session.scalars(select(SeatRow.name).where(SeatRow.state == FREE))).all())
            ahead = await _ahead(session, code, now)
            if len(free) <= ahead:
                code.queued_at = code.queued_at or now
                code.seen_at = now
                return Waiting(ahead + 1)
            warm = set(ready)
            for seat in sorted(free, key=lambda name: (name not in warm, name)):
                taken = update(SeatRow).where(SeatRow.name == seat, SeatRow.state == FREE).values(state=HELD)
                if (await session.execute(taken)).rowcount:  # type: ignore[attr-defined]
                    break
            else:
                return Waiting(1)
            names = set((await session.scalars(select(Code.pseudonym).where(Code.pseudonym.is_not(None)))).all())
            code.seat, code.pseudonym = seat, draw_name(draw, {name for name in names if name})
            code.language, code.entered_at = language, now
            code.queued_at = code.seen_at = None
            return _known(code)

    async def seating(self, now: datetime) -> Seating:
        """Return the seats and who waits."""
        async with self.database.session() as session:
            rows = (await session.scalars(select(SeatRow).order_by(SeatRow.name))).all()
            held = (await session.execute(select(Code.seat, Code.pseudonym).where(Code.seat.is_not(None)))).all()
            queued = await session.scalar(select(func.count()).select_from(Code).where(*_waits(now)))
            return Seating(
                free=tuple(row.name for row in rows if row.state == FREE),
                held=tuple(row.name for row in rows if row.state == HELD),
                reset=tuple(row.name for row in rows if row.state == RESET),
                stuck={row.name: row.stuck_at for row in rows if row.stuck_at},
                failed={row.name: row.failed for row in rows if row.failed},
                names={seat: name or "" for seat, name in held if seat},
                queued=queued or 0,
            )

    async def seat(self, name: str, **values: Any) -> None:
        """Set columns of a seat."""
        async with self.database.session() as session:
            await session.execute(update(SeatRow).where(SeatRow.name == name).values(**values))

    async def reset(self, names: Collection[str]) -> None:
        """Take seats from their visitors: their codes open nothing that is kept there, and may take another seat."""
        async with self.database.session() as session:
            nothing = {"seat": None, "pseudonym": None, "entered_at": None}
            await session.execute(update(Code).where(Code.seat.in_(names)).values(**nothing))
            mine = SeatRow.name.in_(names), SeatRow.state == HELD
            await session.execute(update(SeatRow).where(*mine).values(state=RESET, stuck_at=None, failed=None))

    async def reached(self, seat: str, now: datetime) -> float | None:
        """Note that a visitor reached her notebook; return the seconds since her code opened the seat, once."""
        async with self.database.session() as session:
            code = await session.scalar(select(Code).where(Code.seat == seat))
            if code is None or code.seen_at is not None or code.entered_at is None:
                return None
            code.seen_at = now
            return max(0.0, (now - code.entered_at).total_seconds())

    async def begin(self, task: Task, found: int) -> None:
        """Note a step of the purge before it is taken, with what there is to remove; the first count stays."""
        async with self.database.session() as session:
            if await session.get(Purged, (task.step, task.subject)) is None:
                session.add(Purged(step=task.step, subject=task.subject, count=found))

    async def done(self, task: Task, now: datetime) -> None:
        """Note that a step is taken."""
        async with self.database.session() as session:
            same = Purged.step == task.step, Purged.subject == task.subject
            await session.execute(update(Purged).where(*same).values(done_at=now))

    async def journal(self) -> dict[Task, tuple[int, bool]]:
        """Return the steps of the purge that were begun: what there was, and whether they are done."""
        async with self.database.session() as session:
            rows = await session.execute(select(Purged.step, Purged.subject, Purged.count, Purged.done_at))
            return {Task(cast(Step, step), subject): (count, at is not None) for step, subject, count, at in rows}

    async def forget_journal(self) -> None:
        """Begin a purge anew: a backup brought back what was removed."""
        async with self.database.session() as session:
            await session.execute(delete(Purged))

    async def codes(self) -> int:
        """Return how many codes there are."""
        async with self.database.session() as session:
            return await session.scalar(select(func.count()).select_from(Code)) or 0

    async def forget_codes(self) -> None:
        """Remove all codes and seats; a file that is restored brings none back."""
        async with self.database.session() as session:
            await session.execute(delete(Code))
            await session.execute(delete(SeatRow))
            await session.execute(delete(StateRow).where(StateRow.name == "message"))
            await session.merge(StateRow(name="codes-purged", value=True))

    async def happened(self, at: datetime, what: str, seconds: float | None = None) -> None:
        """Count something for the report."""
        async with self.database.session() as session:
            session.add(Happened(at=at, what=what, seconds=seconds))

    async def happenings(self) -> list[tuple[datetime, str, float | None]]:
        """Return everything that was counted, in order."""
        async with self.database.session() as session:
            query = select(Happened.at, Happened.what, Happened.seconds).order_by(Happened.at)
            return [(at, what, seconds) for at, what, seconds in await session.execute(query)]

    async def state(self, name: str) -> Any:
        """Return what was set; None where nothing was."""
        row = await self.database.first(_STATE, {"name": name})
        return row[0] if row else None

    async def set_state(self, name: str, value: Any) -> None:
        """Keep a value; None takes it away."""
        async with self.database.session() as session:
            await session.execute(delete(StateRow).where(StateRow.name == name))
            if value is not None:
                session.add(StateRow(name=name, value=value))

    async def orders(self) -> Orders:
        """Return what organizers decided on the end."""
        found = [await self.state(name) for name in ("closed", "until")]
        return Orders(*(datetime.fromisoformat(value) if value else None for value in found))


async def _state(session: AsyncSession, name: str) -> Any:
    row = await session.get(StateRow, name)
    return row.value if row else None


def _waits(now: datetime) -> tuple[Any, ...]:
    return Code.seat.is_(None), Code.queued_at.is_not(None), Code.seen_at >= now - GONE


async def _ahead(session: AsyncSession, code: Code, now: datetime) -> int:
    """Return how many wait who asked first."""
    others = select(func.count()).select_from(Code).where(*_waits(now), Code.digest != code.digest)
    if code.queued_at is not None:
        same = (Code.queued_at == code.queued_at) & (Code.digest < code.digest)
        others = others.where(or_(Code.queued_at < code.queued_at, same))
    return await session.scalar(others) or 0


def _known(code: Code | None) -> Known | None:
    if code is None:
        return None
    return Known(code.digest, code.kind, code.seat, code.pseudonym, code.language, code.entered_at)


async def export(session: AsyncSession, username: str) -> dict[str, Any]:
    """Return every row about a seat's visitor or somebody who runs the event, for the right of access."""
    codes = await session.scalars(select(Code).where(Code.seat == username))
    seats = await session.scalars(select(SeatRow).where(SeatRow.name == username))
    return {
        "events_code": [
            {"kind": code.kind, "pseudonym": code.pseudonym, "language": code.language, "entered_at": code.entered_at}
            for code in codes
        ],
        "events_seat": [{"name": seat.name, "stuck_at": seat.stuck_at} for seat in seats if seat.state != FREE],
    }


async def erase(session: AsyncSession, username: str, pseudonym: str) -> None:
    """Forget a visitor: her code opens nothing any more, her seat is made new. May be run twice."""
    await session.execute(delete(Code).where(Code.seat == username))
    mine = SeatRow.name == username, SeatRow.state == HELD
    await session.execute(update(SeatRow).where(*mine).values(state=RESET, stuck_at=None, failed=None))

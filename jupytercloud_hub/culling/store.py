"""What the culler remembers, in the database: nothing of it is lost when the process is killed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.text import Localized
from ..storage import Database
from .facts import Report, Start
from .reclaimed import Freed
from .rules import KeepRefused, Maintenance, Memory, Server
from .tables import Activity, Kept, State, Stopped, Warning_

MOMENTS = ("read", "settles", "counted")
PERSONAL = (Warning_, Kept, Activity, Stopped)


@dataclass(frozen=True, slots=True)
class Remembered:
    """Everything that is known of the starts of servers beside what the hub says."""

    memories: Mapping[Start, Memory]
    reports: Mapping[Start, Report]
    maintenance: Maintenance | None = None
    moments: Mapping[str, datetime] = field(default_factory=dict)
    """``read``: when the hub last gave a whole list; ``settles``: from when on activity is known again;
    ``counted``: up to when the hours that stops gave back are counted."""

    def memory(self, start: Start) -> Memory:
        """Return what is remembered of one start."""
        return self.memories.get(start, _NOTHING)


_NOTHING = Memory()


class Store:
    """The culler's tables. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remembered(self, user: str | None = None) -> Remembered:
        """Return what is remembered of all starts, or of one person's."""

        def of(table: Any) -> Any:
            return select(table) if user is None else select(table).where(table.user == user)

        async with self._database.session() as session:
            warned: dict[Start, dict[str, datetime]] = defaultdict(dict)
            for row in await session.scalars(of(Warning_)):
                warned[row.user, row.server, row.started][row.asker] = row.warned_at
            kept = {(r.user, r.server, r.started): r for r in await session.scalars(of(Kept))}
            reports = {
                (r.user, r.server, r.started): Report(r.reported_at, r.active_at, tuple(r.busy))
                for r in await session.scalars(of(Activity))
            }
            state = {row.name: row for row in await session.scalars(select(State))}
        memories = {
            start: Memory(
                warned=warned.get(start, {}),
                kept_until=kept[start].until if start in kept else None,
                keeps=kept[start].times if start in kept else 0,
            )
            for start in {*warned, *kept}
        }
        return Remembered(memories, reports, _maintenance(state.get("maintenance")), _moments(state))

    async def warn(self, changes: Iterable[tuple[Start, Mapping[str, datetime], Mapping[str, datetime]]]) -> None:
        """Bring the warnings of each start from what they were to what they are now."""
        async with self._database.session() as session:
            for (user, server, started), before, after in changes:
                for asker in before.keys() - after.keys():
                    which = (Warning_.user == user, Warning_.server == server, Warning_.started == started)
                    await session.execute(delete(Warning_).where(*which, Warning_.asker == asker))
                for asker in after.keys() - before.keys():
                    # A page and a pass may say it at the same moment: the first word counts.
                    values = {"user": user, "server": server, "started": started, "asker": asker}
                    row = self._database.insert(Warning_).values(**values, warned_at=after[asker], told=False)
                    await session.execute(row.on_conflict_do_nothing())

    async def untold(self) -> set[Start]:
        """Return the starts with a warning that the webhook does not have."""
        async with self._database.session() as session:
            rows = await session.scalars(select(Warning_).where(Warning_.told.is_(False)))
            return {(row.user, row.server, row.started) for row in rows}

    async def told(self, starts: Iterable[Start]) -> None:
        """Note that the webhook has these."""
        async with self._database.session() as session:
            for user, server, started in starts:
                which = (Warning_.user == user, Warning_.server == server, Warning_.started == started)
                await session.execute(update(Warning_).where(*which).values(told=True))

    async def keep(self, start: Start, seen: Memory, until: datetime) -> None:
        """Count one "keep it"; of two that were decided on the same memory, the second is refused."""
        user, server, started = start
        async with self._database.session() as session:
            row = await session.get(Kept, start, with_for_update=True)
            if (row.times if row else 0) != seen.keeps:
                raise KeepRefused.at_once()
            if row:
                row.times, row.until = row.times + 1, until
            else:
                session.add(Kept(user=user, server=server, started=started, times=1, until=until))

    async def report(self, start: Start, report: Report) -> None:
        """Note what a server's extension says of its activity."""
        user, server, started = start
        async with self._database.session() as session:
            await session.merge(
                Activity(
                    user=user,
                    server=server,
                    started=started,
                    reported_at=report.reported_at,
                    active_at=report.active_at,
                    busy=list(report.busy),
                )
            )

    async def stopped(self, server: Server, at: datetime, cause: str, rule: str, reason: Localized) -> None:
        """Note a stop for its owner's page."""
        texts = {language: reason.in_(language) for language in ("fr", "en")}
        async with self._database.session() as session:
            session.add(
                Stopped(
                    user=server.user,
                    server=server.name,
                    started=server.started,
                    stopped_at=at,
                    cause=cause,
                    rule=rule,
                    reason=texts,
                    cpu=server.cpu,
                    memory=server.memory,
                    gpu=server.gpu,
                )
            )

    async def recent_stops(self, user: str, since: datetime) -> list[Stopped]:
        """Return a person's stops since then, the newest first."""
        async with self._database.session() as session:
            query = select(Stopped).where(Stopped.user == user, Stopped.stopped_at >= since)
            return list(await session.scalars(query.order_by(Stopped.stopped_at.desc()).limit(20)))

    async def freed(self, since: datetime) -> list[Freed]:
        """Return what stops for idleness or age since then gave back."""
        async with self._database.session() as session:
            query = select(Stopped).where(Stopped.stopped_at >= since, Stopped.cause.in_(("idle", "age")))
            return [
                Freed(row.user, row.server, row.stopped_at, row.rule, row.cpu, row.memory, row.gpu)
                for row in await session.scalars(query)
            ]

    async def prune(self, before: datetime) -> None:
        """Forget everything about starts and stops before then: ``privacy.retention.culling``."""
        async with self._database.session() as session:
            await session.execute(delete(Stopped).where(Stopped.stopped_at < before))
            await session.execute(delete(Warning_).where(Warning_.warned_at < before))
            await session.execute(delete(Kept).where(Kept.until < before))
            await session.execute(delete(Activity).where(Activity.reported_at < before))

    async def last_read(self) -> datetime | None:
        """Return when the hub last gave a whole list of its servers."""
        async with self._database.session() as session:
            row = await session.get(State, "read")
            return datetime.fromisoformat(row.value["at"]) if row else None

    async def remember(self, **moments: datetime) -> None:
        """Remember moments by name (`Remembered.moments`)."""
        async with self._database.session() as session:
            for name, at in moments.items():
                await session.merge(State(name=name, value={"at": at.isoformat()}))

    async def maintenance(self) -> Maintenance | None:
        """Return the maintenance for which everything is to be stopped, if there is one."""
        async with self._database.session() as session:
            return _maintenance(await session.get(State, "maintenance"))

    async def set_maintenance(self, maintenance: Maintenance | None) -> None:
        """Announce a maintenance, or take it back."""
        async with self._database.session() as session:
            if maintenance is None:
                await session.execute(delete(State).where(State.name == "maintenance"))
                await session.execute(delete(Warning_).where(Warning_.asker == "maintenance"))
                return
            value = {"at": maintenance.at.isoformat(), "message": maintenance.message.dump()}
            await session.merge(State(name="maintenance", value=value))

    async def begin_pass(self, holder: str, now: datetime, lease: timedelta) -> bool:
        """Take the right to run a pass for so long; False while another process has it."""
        async with self._database.session() as session:
            row = await session.get(State, "pass", with_for_update=True)
            if row and row.value["holder"] != holder and datetime.fromisoformat(row.value["until"]) > now:
                return False
            await session.merge(State(name="pass", value={"holder": holder, "until": (now + lease).isoformat()}))
            return True

    async def end_pass(self, holder: str) -> None:
        """Give the right back."""
        async with self._database.session() as session:
            row = await session.get(State, "pass", with_for_update=True)
            if row and row.value["holder"] == holder:
                await session.delete(row)


def _moments(state: Mapping[str, State]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(state[name].value["at"]) for name in MOMENTS if name in state}


def _maintenance(row: State | None) -> Maintenance | None:
    if row is None:
        return None
    return Maintenance(datetime.fromisoformat(row.value["at"]), Localized(row.value["message"]))


async def export(session: AsyncSession, username: str) -> dict[str, Any]:
    """Return every row about a person, for her right of access."""
    found: dict[str, Any] = {}
    for table in PERSONAL:
        rows = await session.scalars(select(table).where(table.user == username))
        columns = [column.key for column in table.__table__.columns]
        found[table.__tablename__] = [{name: getattr(row, name) for name in columns} for row in rows]
    return found


async def erase(session: AsyncSession, username: str, pseudonym: str) -> None:
    """Forget a person. Stops are counted on under the pseudonym; may be run twice."""
    for table in (Warning_, Kept, Activity):
        await session.execute(delete(table).where(table.user == username))
    await session.execute(update(Stopped).where(Stopped.user == username).values(user=pseudonym))

"""What the culler remembers, in the database: nothing of it is lost when the process is killed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.text import LANGUAGES, Localized
from ..storage import Database
from .facts import Report, Start
from .reclaimed import Freed
from .rules import KeepRefused, Maintenance, Memory, Server
from .tables import Activity, Kept, State, Stopped, Warning_

MOMENTS = ("read", "settles", "counted")
Way = Literal["told", "mailed"]
"""How a warning leaves the culler, as its column is named: the operator's webhook, or a letter."""
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
    message: str | None = None
    """What everybody with a server is told now."""

    def memory(self, start: Start) -> Memory:
        """Return what is remembered of one start."""
        return self.memories.get(start, _NOTHING)


_NOTHING = Memory()


@dataclass(frozen=True, slots=True)
class Done:
    """A stop that was done, and why."""

    server: Server
    at: datetime
    cause: str
    rule: str
    reason: Localized


class Store:
    """The culler's tables. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remembered(self, *users: str) -> Remembered:
        """Return what is remembered of all starts, or of some people's."""

        def of(table: Any, *columns: Any) -> Any:
            query = select(table.user, table.server, table.started, *columns)
            return query.where(table.user.in_(users)) if users else query

        async with self._database.session() as session:
            warned: dict[Start, dict[str, datetime]] = defaultdict(dict)
            query = of(Warning_, Warning_.asker, Warning_.warned_at)
            for user, server, started, asker, at in await session.execute(query):
                warned[user, server, started][asker] = at
            query = of(Kept, Kept.times, Kept.until)
            kept = {tuple(start): (times, until) for *start, times, until in await session.execute(query)}
            query = of(Activity, Activity.reported_at, Activity.active_at, Activity.busy)
            reports = {
                (user, server, started): Report(reported_at, active_at, tuple(busy))
                for user, server, started, reported_at, active_at, busy in await session.execute(query)
            }
            rows = await session.execute(select(State.name, State.value))
            state: dict[str, dict[str, Any]] = {name: value for name, value in rows}  # noqa: C416 - rows are no pairs
        memories = {
            start: Memory(
                warned=warned.get(start, {}),
                kept_until=kept[start][1] if start in kept else None,
                keeps=kept[start][0] if start in kept else 0,
            )
            for start in {*warned, *kept}
        }
        said = state.get("message")
        message = said["text"] if said else None
        return Remembered(memories, reports, _maintenance(state.get("maintenance")), _moments(state), message)

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
                    row = self._database.insert(Warning_).values(
                        **values, warned_at=after[asker], told=False, mailed=False
                    )
                    await session.execute(row.on_conflict_do_nothing())

    async def untold(self, way: Way) -> set[Start]:
        """Return the starts with a warning that did not go this way yet."""
        async with self._database.session() as session:
            rows = await session.scalars(select(Warning_).where(getattr(Warning_, way).is_(False)))
            return {(row.user, row.server, row.started) for row in rows}

    async def told(self, way: Way, starts: Iterable[Start]) -> None:
        """Note that these went this way."""
        async with self._database.session() as session:
            for user, server, started in starts:
                which = (Warning_.user == user, Warning_.server == server, Warning_.started == started)
                await session.execute(update(Warning_).where(*which).values({way: True}))

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

    async def stopped(self, stops: Sequence[Done]) -> None:
        """Note stops for their owners' pages."""
        rows = [
            {
                "user": done.server.user,
                "server": done.server.name,
                "started": done.server.started,
                "stopped_at": done.at,
                "cause": done.cause,
                "rule": done.rule,
                "reason": {language: done.reason.in_(language) for language in LANGUAGES},
                "cpu": done.server.cpu,
                "memory": done.server.memory,
                "gpu": done.server.gpu,
            }
            for done in stops
        ]
        async with self._database.session() as session:
            await session.execute(insert(Stopped.__table__), rows)  # type: ignore[arg-type]

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
        rows = [{"name": name, "value": {"at": at.isoformat()}} for name, at in moments.items()]
        statement = self._database.insert(State)
        statement = statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
        async with self._database.session() as session:
            await session.execute(statement, rows)

    async def maintenance(self) -> Maintenance | None:
        """Return the maintenance for which everything is to be stopped, if there is one."""
        async with self._database.session() as session:
            row = await session.get(State, "maintenance")
            return _maintenance(row.value if row else None)

    async def set_maintenance(self, maintenance: Maintenance | None) -> None:
        """Announce a maintenance, or take it back."""
        async with self._database.session() as session:
            if maintenance is None:
                await session.execute(delete(State).where(State.name == "maintenance"))
                await session.execute(delete(Warning_).where(Warning_.asker == "maintenance"))
                return
            at, message = maintenance.at.isoformat(), maintenance.message.dump()
            value = {"at": at, "message": message, "closing": maintenance.closing}
            await session.merge(State(name="maintenance", value=value))

    async def message(self) -> str | None:
        """Return what everybody with a server is told now."""
        async with self._database.session() as session:
            row = await session.get(State, "message")
            return row.value["text"] if row else None

    async def set_message(self, text: str | None) -> None:
        """Tell everybody something, until it is taken back."""
        async with self._database.session() as session:
            await session.execute(delete(State).where(State.name == "message"))
            if text is not None:
                session.add(State(name="message", value={"text": text}))

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


def _moments(state: Mapping[str, dict[str, Any]]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(state[name]["at"]) for name in MOMENTS if name in state}


def _maintenance(value: dict[str, Any] | None) -> Maintenance | None:
    if value is None:
        return None
    at, closing = datetime.fromisoformat(value["at"]), bool(value.get("closing"))
    return Maintenance(at, Localized(value["message"]), closing)


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

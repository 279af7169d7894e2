"""What the culler remembers, in the database: nothing of it is lost when the process is killed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from ..contracts.text import LANGUAGES, Localized
from ..storage.plain import PlainDatabase, document, moment
from .facts import Report, Start
from .reclaimed import Freed
from .rules import KeepRefused, Maintenance, Memory, Server

MOMENTS = ("read", "settles", "counted")
Way = Literal["told", "mailed"]
"""How a warning leaves the culler, as its column is named: the operator's webhook, or a letter."""

_THIS = '"user" = :user AND server = :server AND started = :started'
_WARN = """
INSERT INTO culling_warning ("user", server, started, asker, warned_at, told, mailed)
VALUES (:user, :server, :started, :asker, :warned_at, :no, :no) ON CONFLICT DO NOTHING"""
_WITHDRAW = f"DELETE FROM culling_warning WHERE {_THIS} AND asker = :asker"  # noqa: S608 - constants
_UNTOLD = {way: f'SELECT "user", server, started FROM culling_warning WHERE NOT {way}' for way in ("told", "mailed")}  # noqa: S608
_TOLD = {way: f"UPDATE culling_warning SET {way} = :yes WHERE {_THIS}" for way in ("told", "mailed")}  # noqa: S608
_KEEP_FIRST = """
INSERT INTO culling_kept ("user", server, started, times, until)
VALUES (:user, :server, :started, 1, :until) ON CONFLICT DO NOTHING"""
_KEEP_AGAIN = f"UPDATE culling_kept SET times = times + 1, until = :until WHERE {_THIS} AND times = :seen"  # noqa: S608
_REPORT = """
INSERT INTO culling_activity ("user", server, started, reported_at, active_at, busy)
VALUES (:user, :server, :started, :reported_at, :active_at, :busy) ON CONFLICT ("user", server, started) DO UPDATE
SET reported_at = excluded.reported_at, active_at = excluded.active_at, busy = excluded.busy"""
_STOPPED = """
INSERT INTO culling_stopped ("user", server, started, stopped_at, cause, rule, reason, cpu, memory, gpu)
VALUES (:user, :server, :started, :stopped_at, :cause, :rule, :reason, :cpu, :memory, :gpu)"""
_RECENT = """
SELECT server, stopped_at, reason FROM culling_stopped WHERE "user" = :user AND stopped_at >= :since
ORDER BY stopped_at DESC LIMIT 20"""
_FREED = """
SELECT "user", server, stopped_at, rule, cpu, memory, gpu FROM culling_stopped
WHERE stopped_at >= :since AND cause IN ('idle', 'age')"""
_PRUNE = (
    "DELETE FROM culling_stopped WHERE stopped_at < :before",
    "DELETE FROM culling_warning WHERE warned_at < :before",
    "DELETE FROM culling_kept WHERE until < :before",
    "DELETE FROM culling_activity WHERE reported_at < :before",
)
_STATE = "SELECT value FROM culling_state WHERE name = :name"
_SET = """
INSERT INTO culling_state (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
_CLAIM = """
INSERT INTO culling_state (name, value) VALUES ('pass', :value)
ON CONFLICT (name) DO UPDATE SET name = excluded.name"""
_UNSET = "DELETE FROM culling_state WHERE name = :name"
_NOBODY = {"holder": "", "until": "1970-01-01T00:00:00+00:00"}


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


@dataclass(frozen=True, slots=True)
class Recent:
    """A stop as its owner's page tells it; ``reason`` by language."""

    server: str
    stopped_at: datetime
    reason: Mapping[str, str]


class Store:
    """The culler's tables. Every method is one transaction."""

    def __init__(self, database: PlainDatabase) -> None:
        self._database = database

    async def remembered(self, *users: str) -> Remembered:
        """Return what is remembered of all starts, or of some people's."""
        names = {f"user{number}": user for number, user in enumerate(users)}
        which = f' WHERE "user" IN ({", ".join(f":{name}" for name in names)})' if names else ""

        def of(table: str, columns: str) -> str:
            return f'SELECT "user", server, started, {columns} FROM culling_{table}{which}'  # noqa: S608 - no values

        async with self._database.transaction() as sql:
            warned: dict[Start, dict[str, datetime]] = defaultdict(dict)
            for user, server, started, asker, at in await sql.rows(of("warning", "asker, warned_at"), **names):
                warned[user, server, moment(started)][asker] = moment(at)
            kept = {
                (user, server, moment(started)): (times, moment(until))
                for user, server, started, times, until in await sql.rows(of("kept", "times, until"), **names)
            }
            rows = await sql.rows(of("activity", "reported_at, active_at, busy"), **names)
            reports = {
                (user, server, moment(started)): Report(moment(reported), moment(active), tuple(document(busy)))
                for user, server, started, reported, active, busy in rows
            }
            state = {name: document(value) for name, value in await sql.rows("SELECT name, value FROM culling_state")}
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
        withdrawn, given = [], []
        for start, before, after in changes:
            withdrawn += [{**_key(start), "asker": asker} for asker in before.keys() - after.keys()]
            given += [
                {**_key(start), "asker": asker, "warned_at": after[asker], "no": False}
                for asker in after.keys() - before.keys()
            ]
        async with self._database.transaction() as sql:
            await sql.many(_WITHDRAW, withdrawn)
            await sql.many(_WARN, given)  # a page and a pass may say it at the same moment: the first word counts

    async def untold(self, way: Way) -> set[Start]:
        """Return the starts with a warning that did not go this way yet."""
        async with self._database.transaction() as sql:
            return {(user, server, moment(started)) for user, server, started in await sql.rows(_UNTOLD[way])}

    async def told(self, way: Way, starts: Iterable[Start]) -> None:
        """Note that these went this way."""
        async with self._database.transaction() as sql:
            await sql.many(_TOLD[way], [{**_key(start), "yes": True} for start in starts])

    async def keep(self, start: Start, seen: Memory, until: datetime) -> None:
        """Count one "keep it"; of two that were decided on the same memory, the second is refused."""
        words = _KEEP_AGAIN if seen.keeps else _KEEP_FIRST
        values = {**_key(start), "until": until, **({"seen": seen.keeps} if seen.keeps else {})}
        async with self._database.transaction() as sql:
            if not await sql.run(words, **values):
                raise KeepRefused.at_once()

    async def report(self, start: Start, report: Report) -> None:
        """Note what a server's extension says of its activity."""
        said = {"reported_at": report.reported_at, "active_at": report.active_at, "busy": report.busy}
        async with self._database.transaction() as sql:
            await sql.run(_REPORT, **_key(start), **said)

    async def stopped(self, stops: Sequence[Done]) -> None:
        """Note stops for their owners' pages."""
        rows = [
            {
                **_key(done.server.key),
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
        async with self._database.transaction() as sql:
            await sql.many(_STOPPED, rows)

    async def recent_stops(self, user: str, since: datetime) -> list[Recent]:
        """Return a person's stops since then, the newest first."""
        async with self._database.transaction() as sql:
            rows = await sql.rows(_RECENT, user=user, since=since)
            return [Recent(server, moment(at), document(reason)) for server, at, reason in rows]

    async def freed(self, since: datetime) -> list[Freed]:
        """Return what stops for idleness or age since then gave back."""
        async with self._database.transaction() as sql:
            rows = await sql.rows(_FREED, since=since)
            return [Freed(user, server, moment(at), *held) for user, server, at, *held in rows]

    async def prune(self, before: datetime) -> None:
        """Forget everything about starts and stops before then: ``privacy.retention.culling``."""
        async with self._database.transaction() as sql:
            for words in _PRUNE:
                await sql.run(words, before=before)

    async def last_read(self) -> datetime | None:
        """Return when the hub last gave a whole list of its servers."""
        found = await self._state("read")
        return datetime.fromisoformat(found["at"]) if found else None

    async def remember(self, **moments: datetime) -> None:
        """Remember moments by name (`Remembered.moments`)."""
        async with self._database.transaction() as sql:
            await sql.many(_SET, [{"name": name, "value": {"at": at.isoformat()}} for name, at in moments.items()])

    async def maintenance(self) -> Maintenance | None:
        """Return the maintenance for which everything is to be stopped, if there is one."""
        return _maintenance(await self._state("maintenance"))

    async def set_maintenance(self, maintenance: Maintenance | None) -> None:
        """Announce a maintenance, or take it back."""
        async with self._database.transaction() as sql:
            if maintenance is None:
                await sql.run(_UNSET, name="maintenance")
                await sql.run("DELETE FROM culling_warning WHERE asker = 'maintenance'")
                return
            at, message = maintenance.at.isoformat(), maintenance.message.dump()
            value = {"at": at, "message": message, "closing": maintenance.closing}
            await sql.run(_SET, name="maintenance", value=value)

    async def message(self) -> str | None:
        """Return what everybody with a server is told now."""
        found = await self._state("message")
        return found["text"] if found else None

    async def set_message(self, text: str | None) -> None:
        """Tell everybody something, until it is taken back."""
        async with self._database.transaction() as sql:
            if text is None:
                await sql.run(_UNSET, name="message")
            else:
                await sql.run(_SET, name="message", value={"text": text})

    async def begin_pass(self, holder: str, now: datetime, lease: timedelta) -> bool:
        """Take the right to run a pass for so long; False while another process has it."""
        async with self._database.transaction() as sql:
            # The write comes first: of two transactions that begin at once, one waits here for the other.
            await sql.run(_CLAIM, value=_NOBODY)
            held = document((await sql.rows(_STATE, name="pass"))[0][0])
            if held["holder"] != holder and datetime.fromisoformat(held["until"]) > now:
                return False
            await sql.run(_SET, name="pass", value={"holder": holder, "until": (now + lease).isoformat()})
            return True

    async def end_pass(self, holder: str) -> None:
        """Give the right back."""
        async with self._database.transaction() as sql:
            [held] = [document(value) for (value,) in await sql.rows(_STATE, name="pass")] or [_NOBODY]
            if held["holder"] == holder:
                await sql.run(_UNSET, name="pass")

    async def _state(self, name: str) -> dict[str, Any] | None:
        async with self._database.transaction() as sql:
            for (value,) in await sql.rows(_STATE, name=name):
                return document(value)  # type: ignore[no-any-return]
        return None


def _key(start: Start) -> dict[str, Any]:
    user, server, started = start
    return {"user": user, "server": server, "started": started}


def _moments(state: Mapping[str, dict[str, Any]]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(state[name]["at"]) for name in MOMENTS if name in state}


def _maintenance(value: dict[str, Any] | None) -> Maintenance | None:
    if value is None:
        return None
    at, closing = datetime.fromisoformat(value["at"]), bool(value.get("closing"))
    return Maintenance(at, Localized(value["message"]), closing)

"""When a server stops, and why: a pure function of what is known of it, of the rules and of the time.

The order of things for one server: the first rule that matches gives a due time (`Planned`); some time
before it, its owner is warned; the stop follows when the warning has had its time and nothing changed. What
the quota service and a maintenance ask for stands beside the rules, and the earliest wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ..contracts.text import Localized, Text
from ..contracts.units import format_duration
from ..settings.culling import CullingRule, CullingSettings, Keep
from .timetable import Segment, segments

if TYPE_CHECKING:
    from ..contracts.stops import StopRequest


class Cause(StrEnum):
    """What makes a server stop."""

    IDLE = "idle"
    AGE = "age"
    QUOTA = "quota"
    MAINTENANCE = "maintenance"

    @property
    def asker(self) -> str:
        """Who wants the stop, and was to warn of it: ``rule``, ``quota`` or ``maintenance``."""
        return "rule" if self in (Cause.IDLE, Cause.AGE) else self.value


class Action(StrEnum):
    """What a pass does with a server."""

    SPARE = "spare"  # no rule ever stops it
    LEAVE = "leave"  # its time has not come
    WARN = "warn"  # its owner is warned in this pass
    WAIT = "wait"  # its owner was warned; the stop has not come
    STOP = "stop"
    HOLD = "hold"  # due, but activity was not recorded for a while: wait and see
    PENDING = "pending"  # starting or stopping: left alone


@dataclass(frozen=True, slots=True)
class Server:
    """What is known of one start of one server; times are aware, ``memory`` is in bytes, ``cpu`` in cores."""

    user: str
    name: str
    started: datetime
    last_activity: datetime
    profile: str | None = None
    gpu: int = 0
    gpu_type: str | None = None
    cpu: float = 0.0
    memory: int = 0
    groups: tuple[str, ...] = ()
    organization: str | None = None
    event: str | None = None
    """The event of which it is a seat."""
    waiting: bool = False
    """A seat that no visitor has yet: nobody works there, and nobody is to find it gone."""
    pending: str | None = None
    reported: bool = False
    """The activity comes from our Jupyter Server extension, not from the hub's own guess."""
    busy: tuple[str, ...] = ()
    """Notebooks (or other kernels) that were computing at the last report."""

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What a warning and a "keep it" are about: this start, not a later one of the same name."""
        return (self.user, self.name, self.started)


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier passes, the person and the quota service said about one start of a server."""

    warned: Mapping[str, datetime] = field(default_factory=dict)
    """When its owner was first warned, by `Cause.asker`; a warning that was withdrawn is not in it."""
    kept_until: datetime | None = None
    keeps: int = 0
    asked: StopRequest | None = None


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Everything is to be stopped at ``at`` because the machines are needed or go down."""

    at: datetime
    message: Localized
    closing: bool = False
    """Whether it is the end of an event, which the message says by itself."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A stop that will come at ``at`` if nothing changes; ``keep`` is None where "keep it" has no say.

    Its owner is warned from ``lead`` before it, and at least ``notice`` long, also when that makes it later.
    """

    at: datetime
    cause: Cause
    rule: str
    reason: Text
    lead: timedelta
    notice: timedelta
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a server now; its owner is told ``stops_at`` (None: no stop in sight)."""

    server: Server
    action: Action
    reason: Text
    planned: Planned | None = None
    stops_at: datetime | None = None
    warned: Mapping[str, datetime] = field(default_factory=dict)
    """The warnings in force after this verdict; those of `Memory` that are not in it are withdrawn."""
    others: tuple[Planned, ...] = ()
    """Stops for other causes that will come if this one does not."""


class KeepRefused(Exception):
    """A stop can't be put off; ``code`` for programs, ``reason`` for people."""

    def __init__(self, code: str, reason: Text) -> None:
        super().__init__(str(reason))
        self.code = code
        self.reason = reason

    @classmethod
    def at_once(cls) -> KeepRefused:
        """Return the refusal of the second of two requests that came at the same time."""
        return cls("at-once", Text("It was put off a moment ago. Look at the page again."))


def matches(rule: CullingRule, server: Server) -> bool:
    """Return whether everything that the rule asks of a server (but the hour) is so."""
    return (
        _listed(rule.profiles, (server.profile or "",))
        and _listed(rule.groups, server.groups)
        and _listed(rule.organizations, (server.organization or "",))
        and _listed(rule.events, (server.event or "",))
        and rule.names_server(server.name)
        and _gpu(rule.gpu, server)
    )


def _listed(patterns: Sequence[str], values: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for value in values for pattern in patterns)


def _gpu(wanted: bool | tuple[str, ...] | None, server: Server) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, bool):
        return wanted == (server.gpu > 0)
    return server.gpu > 0 and _listed(wanted, (server.gpu_type or "",))


class Judge:
    """The rules at one instant, for as many servers as there are.

    ``settled`` is False while the hub's record of activity has a hole (after an outage): then a person may
    have worked unseen, and nobody is stopped for being idle.
    """

    def __init__(
        self,
        settings: CullingSettings,
        zone: ZoneInfo,
        now: datetime,
        maintenance: Maintenance | None = None,
        settled: bool = True,
    ) -> None:
        self.settings = settings
        self.now = now
        self.maintenance = maintenance
        self.settled = settled
        self._segments: tuple[Segment, ...] = segments(settings.rules, now, zone)
        self._limits = {rule.name: _limits(rule) for rule in settings.rules}

    def plans(self, server: Server, memory: Memory) -> list[Planned]:
        """Return every stop that will come if nothing changes, the earliest first."""
        candidates = [self._by_maintenance()]
        if not server.waiting:
            candidates += [self._by_quota(memory), self._by_rule(server, memory)]
        return sorted((planned for planned in candidates if planned), key=lambda planned: planned.at)

    def judge(self, server: Server, memory: Memory) -> Verdict:
        """Return what is to be done with the server now.

        Promises: no stop without a warning that its owner could see for the whole notice; no stop before the
        announced instant; a person who came back, or who kept it, is no longer warned.
        """
        plans = self.plans(server, memory)
        if not plans:
            if server.waiting:
                return Verdict(server, Action.SPARE, Text("This seat waits for a visitor of the event."))
            return Verdict(server, Action.SPARE, Text("No rule stops this server."))
        begun = [planned for planned in plans if self.now >= planned.at - planned.lead]
        if server.pending or not begun:
            action = Action.PENDING if server.pending else Action.LEAVE
            first, *later = plans
            warned = memory.warned if server.pending else {}
            return Verdict(server, action, first.reason, first, first.at, warned, tuple(later))
        warned = {planned.cause.asker: memory.warned.get(planned.cause.asker, self.now) for planned in begun}
        stops = [(max(p.at, warned[p.cause.asker] + p.notice), p) for p in begun]
        stops_at, planned = min(stops, key=lambda stop: stop[0])
        if self.now >= stops_at:
            unseen = planned.cause is Cause.IDLE and not self.settled and not server.reported
            action = Action.HOLD if unseen else Action.STOP
        else:
            action = Action.WAIT if planned.cause.asker in memory.warned else Action.WARN
        others = tuple(other for other in plans if other is not planned)
        return Verdict(server, action, planned.reason, planned, stops_at, warned, others)

    def keep(self, server: Server, memory: Memory) -> datetime:
        """Return until when "keep it", said now, keeps the server; raise `KeepRefused` where it can't.

        Promises: at most ``keep.times`` for one start; never beyond ``keep.duration`` from now; a use that
        would change nothing is not counted.
        """
        planned = self.judge(server, memory).planned
        if planned is None:
            raise KeepRefused("nothing-planned", Text("No stop is planned: there is nothing to put off."))
        if planned.keep is None:
            raise KeepRefused("not-yours", Text("This stop cannot be put off. {reason}", reason=planned.reason))
        if memory.keeps >= planned.keep.times:
            if planned.keep.times == 0:
                raise KeepRefused("not-offered", Text("The rule of this server lets no stop be put off."))
            raise KeepRefused(
                "used-up",
                Text("The stop was already put off {times} of {times} times.", times=planned.keep.times),
            )
        until = self.now + planned.keep.duration
        if until <= planned.at:
            raise KeepRefused(
                "too-early",
                Text("The stop is further away than it can be put off: ask again when it is nearer."),
            )
        return until

    def _by_rule(self, server: Server, memory: Memory) -> Planned | None:
        matching = [rule for rule in self.settings.rules if matches(rule, server)]
        for segment in self._segments:
            rule = next((rule for rule in matching if rule.name in segment.rules), None)
            if rule is None or rule.spare:
                continue
            planned = self._due(rule, server, memory)
            at = max(planned.at, segment.start) if segment.start > self.now else planned.at
            if segment.end is None or at < segment.end:
                return planned if at == planned.at else replace(planned, at=at)
        return None

    def _due(self, rule: CullingRule, server: Server, memory: Memory) -> Planned:
        limits = [
            ((server.last_activity if cause is Cause.IDLE else server.started) + limit, cause, reason)
            for limit, cause, reason in self._limits[rule.name]
        ]
        at, cause, reason = min(limits, key=lambda limit: limit[0])
        if memory.kept_until is not None:
            at = max(at, memory.kept_until)
        lead = self.settings.warn_of(rule)
        return Planned(at, cause, rule.name, reason, lead, lead, self.settings.keep_of(rule))

    def _by_quota(self, memory: Memory) -> Planned | None:
        if memory.asked is None:
            return None
        reason = Text("{reason}", reason=Localized({str(k): v for k, v in memory.asked.reason.items()}))
        at, notice = memory.asked.at, self.settings.warn
        lead = max(notice, at - self.now)  # warned from the first pass on
        return Planned(at, Cause.QUOTA, memory.asked.rule, reason, lead, notice)

    def _by_maintenance(self) -> Planned | None:
        if self.maintenance is None:
            return None
        said = self.maintenance.message
        reason = (
            Text("{reason}", reason=said) if self.maintenance.closing else Text("Maintenance: {message}", message=said)
        )
        lead = max(timedelta(0), self.maintenance.at - self.now)
        nothing = timedelta(0)  # whoever drains a hub has said when
        return Planned(self.maintenance.at, Cause.MAINTENANCE, "maintenance", reason, lead, nothing)


def _limits(rule: CullingRule) -> list[tuple[timedelta, Cause, Text]]:
    """Return a rule's limits with their words, made once for all the servers of a pass."""
    title = rule.title or Localized(rule.name)
    limits: list[tuple[timedelta, Cause, Text]] = []
    if rule.idle is not None:
        text = Text("Stopped after {limit} without activity ({rule}).", limit=spell(rule.idle), rule=title)
        limits.append((rule.idle, Cause.IDLE, text))
    if rule.max_age is not None:
        text = Text("Stopped {limit} after its start ({rule}).", limit=spell(rule.max_age), rule=title)
        limits.append((rule.max_age, Cause.AGE, text))
    return limits


def spell(duration: timedelta) -> Localized:
    """Return a duration that reads "1 d" in English and "1 j" in French."""
    return Localized({"fr": format_duration(duration, "fr"), "en": format_duration(duration, "en")})

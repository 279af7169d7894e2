"""What probes and heartbeats say about a site, as a state machine. Pure: time comes in, nothing goes out.

Only probes raise a site; a heartbeat lowers its state at once and is forgotten when it expires. A site begins
`unknown`, falls after `fall` failed probes in a row and rises after `rise` good ones. Whatever is new gets a
second look soon; a site that stays down is looked at less and less, up to every `longest`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..contracts.heartbeat import Heartbeat, Notice
from ..contracts.text import Text
from ..settings.federation import HealthSettings
from .model import SiteState

UNSEEN = Text("It has not been looked at yet.")


@dataclass(frozen=True)
class ProbeResult:
    """What one probe found. ``took`` is the whole probe; ``version`` is JupyterHub's, where it was told."""

    good: bool
    took: timedelta
    reason: Text
    version: str | None = None


@dataclass(frozen=True)
class Health:
    """A site's health after its last probe.

    ``good`` and ``bad`` count probes of that kind in a row (one of them is 0); ``since`` is when ``state`` began
    and ``up_since`` when the site came back from being down (None: it was not seen down, so there is no ramp).
    """

    state: SiteState = SiteState.UNKNOWN
    since: datetime | None = None
    good: int = 0
    bad: int = 0
    reason: Text = field(default=UNSEEN)
    probed: datetime | None = None
    up_since: datetime | None = None
    version: str | None = None


def after_probe(health: Health, result: ProbeResult, now: datetime, settings: HealthSettings) -> Health:
    """Return the health after one more probe."""
    good = health.good + 1 if result.good else 0
    bad = 0 if result.good else health.bad + 1
    state = health.state
    if result.good and (state.routable or good >= settings.rise):
        state = SiteState.DEGRADED if result.took > settings.slow else SiteState.UP
    elif bad >= settings.fall:
        state = SiteState.DOWN
    up_since = health.up_since
    if state.routable and health.state is SiteState.DOWN:
        up_since = now
    return Health(
        state=state,
        since=health.since if state is health.state and health.since else now,
        good=good,
        bad=bad,
        reason=result.reason,
        probed=now,
        up_since=up_since,
        version=result.version or health.version,
    )


def next_probe(health: Health, settings: HealthSettings, rng: random.Random) -> timedelta:
    """Return the time from the start of the last probe to the start of the next one, with a tenth of jitter."""
    settled_up = health.state.routable and health.bad == 0
    settled_down = health.state is SiteState.DOWN and health.good == 0
    if settled_up:
        wait = settings.interval
    elif settled_down:
        doublings = min(health.bad - settings.fall, 20)
        wait = min(settings.interval * 2**doublings, settings.longest)
    else:
        wait = settings.second_look
    return wait * (1 - 0.1 * rng.random())


def ramp(health: Health, now: datetime, settings: HealthSettings) -> float:
    """Return the part of its weight that a site gets: from 0.1 after its return up to 1."""
    if health.up_since is None or not settings.ramp:
        return 1.0
    return min(1.0, max(0.1, (now - health.up_since) / settings.ramp))


@dataclass(frozen=True)
class Order:
    """Drain or maintenance that an operator ordered at the portal; it ends by itself at ``until``."""

    kind: SiteState
    notice: Notice

    def holds(self, now: datetime) -> bool:
        """Whether the order is in force."""
        return self.notice.holds(now)


@dataclass(frozen=True)
class Standing:
    """A site's state with everything counted, and the words that go with it."""

    state: SiteState
    reason: Text
    notice: Notice | None = None


def standing(
    health: Health,
    heartbeat: Heartbeat | None,
    orders: tuple[Order, ...],
    now: datetime,
    settings: HealthSettings,
) -> Standing:
    """Return the state that pages show and routing obeys.

    Announced maintenance comes before what probes find, since it says more; everything else that a heartbeat or
    an operator says only lowers a site that is up.
    """
    beat = heartbeat if heartbeat and fresh(heartbeat, now, settings) else None
    notices = [(order.kind, order.notice) for order in orders if order.holds(now)]
    if beat:
        notices += [
            (kind, notice)
            for kind, notice in ((SiteState.MAINTENANCE, beat.maintenance), (SiteState.DRAINING, beat.drain))
            if notice and notice.holds(now)
        ]
    told = dict(reversed(notices))
    if SiteState.MAINTENANCE in told:
        return Standing(SiteState.MAINTENANCE, Text("Its operator announced maintenance."), told[SiteState.MAINTENANCE])
    if not health.state.routable:
        return Standing(health.state, health.reason)
    if SiteState.DRAINING in told:
        return Standing(SiteState.DRAINING, Text("Its operator lets nobody new in."), told[SiteState.DRAINING])
    if beat and beat.full:
        return Standing(SiteState.FULL, Text("It has no free place."))
    return Standing(health.state, health.reason)


def fresh(heartbeat: Heartbeat, now: datetime, settings: HealthSettings) -> bool:
    """Whether a heartbeat is still believed."""
    return now - heartbeat.sent < settings.heartbeat_expires


def worth_a_look(health: Health, heartbeat: Heartbeat) -> bool:
    """Whether a good heartbeat contradicts a site's state, so that it is probed at once."""
    return health.state is SiteState.DOWN and heartbeat.well


def rested(health: Health) -> Health:
    """The same health for a portal that starts again: nothing is known until the first probes."""
    return replace(Health(), version=health.version)

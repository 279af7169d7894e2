"""What the culler's HTTP API says and takes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field

from ..contracts.instant import Instant
from ..contracts.model import Model
from ..contracts.text import Language, Localized, Text
from ..settings.culling import CullingSettings
from ..web.i18n import render
from .passes import Standing
from .rules import KeepRefused

DEFAULT_SERVER = "~"
"""Stands for JupyterHub's default server, whose name is empty, in the paths of this API."""

WARNED = timedelta(seconds=15)
"""How often the extension reports once a stop is announced: who comes back is seen in time."""


class KeepView(Model):
    """Whether the person can put the stop off now."""

    possible: bool
    until: AwareDatetime | None = Field(description="Until when the server would stay if she asked now.")
    code: str | None = Field(description="Why not: used-up, too-early, not-yours, not-offered, nothing-planned.")
    reason: str | None = Field(description="Why not, in words.")
    label: str | None = Field(description="Words for a button.")


class ServerView(Model):
    """When one server stops, and why."""

    user: str
    server: str = Field(description="JupyterHub's server name; empty for the default server.")
    profile: str | None
    started: AwareDatetime
    last_activity: AwareDatetime
    activity_by: Literal["extension", "hub"] = Field(description="Who says when it was last active.")
    busy: tuple[str, ...] = Field(description="Notebooks and other kernels that were computing.")
    action: str = Field(description="spare, leave, warn, wait, stop, hold or pending.")
    warned: bool = Field(description="Its owner is to be told now.")
    stops_at: AwareDatetime | None = Field(description="When it stops if nothing changes; null: never.")
    cause: str | None = Field(description="idle, age, quota or maintenance.")
    rule: str | None
    reason: str
    notice: str | None = Field(description="What to tell the owner now, in one or two sentences; null: nothing.")
    message: str | None = Field(description="What the people who run the hub tell everybody now; null: nothing.")
    keep: KeepView
    report_in: float = Field(description="In how many seconds the server's extension is to report again.")


class PlanView(Model):
    """What a pass would do now."""

    at: AwareDatetime
    servers: tuple[ServerView, ...]


class ActivityReport(Model):
    """What the extension in a server reports."""

    last_activity: Instant = Field(description="When somebody last did something, or a kernel computed.")
    busy: tuple[str, ...] = Field(default=(), max_length=50, description="Paths of what is computing now.")


class MaintenanceView(Model):
    """A maintenance: everything is stopped at its hour."""

    at: Instant
    message: Localized


def view(standing: Standing, settings: CullingSettings, zone: ZoneInfo, language: Language) -> ServerView:
    """Return how things stand as programs and pages read it; hours in words are the zone's."""
    verdict = standing.verdict
    server, planned = verdict.server, verdict.planned
    notice = None
    if verdict.warned and verdict.stops_at:
        hour = _hour(verdict.stops_at, zone)
        notice = render(Text("This server stops at {hour}. {reason}", hour=hour, reason=verdict.reason), language)
    return ServerView(
        user=server.user,
        server=server.name,
        profile=server.profile,
        started=server.started,
        last_activity=server.last_activity,
        activity_by="extension" if server.reported else "hub",
        busy=server.busy,
        action=verdict.action.value,
        warned=bool(verdict.warned),
        stops_at=verdict.stops_at,
        cause=planned.cause.value if planned else None,
        rule=planned.rule if planned else None,
        reason=render(verdict.reason, language),
        notice=notice,
        message=_message(standing.message, language),
        keep=_keep(standing.keep, zone, language),
        report_in=(min(settings.report_every, WARNED) if notice else settings.report_every).total_seconds(),
    )


def _message(text: str | None, language: Language) -> str | None:
    return render(Text("Message to everybody: {message}", message=text), language) if text else None


def _keep(answer: datetime | KeepRefused, zone: ZoneInfo, language: Language) -> KeepView:
    if isinstance(answer, datetime):
        label = render(Text("Keep it until {hour}", hour=_hour(answer, zone)), language)
        return KeepView(possible=True, until=answer, code=None, reason=None, label=label)
    reason = render(answer.reason, language)
    return KeepView(possible=False, until=None, code=answer.code, reason=reason, label=None)


def _hour(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M}"

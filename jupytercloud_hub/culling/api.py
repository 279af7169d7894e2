"""What the culler's HTTP API says and takes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from ..contracts.model import Model
from ..contracts.text import Language, Localized
from ..web.i18n import render
from .rules import KeepRefused, Verdict

DEFAULT_SERVER = "~"
"""Stands for JupyterHub's default server, whose name is empty, in the paths of this API."""


class KeepView(Model):
    """Whether the person can put the stop off now."""

    possible: bool
    until: AwareDatetime | None = Field(description="Until when the server would stay if she asked now.")
    code: str | None = Field(description="Why not: used-up, too-early, not-yours, not-offered, nothing-planned.")
    reason: str | None = Field(description="Why not, in words.")


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
    keep: KeepView


class PlanView(Model):
    """What a pass would do now."""

    at: AwareDatetime
    servers: tuple[ServerView, ...]


class ActivityReport(Model):
    """What the extension in a server reports."""

    last_activity: AwareDatetime = Field(description="When somebody last did something, or a kernel computed.")
    busy: tuple[str, ...] = Field(default=(), max_length=50, description="Paths of what is computing now.")


class MaintenanceView(Model):
    """A maintenance: everything is stopped at its hour."""

    at: AwareDatetime
    message: Localized


def view(verdict: Verdict, keep: KeepView, language: Language) -> ServerView:
    """Return a verdict as programs and pages read it."""
    server, planned = verdict.server, verdict.planned
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
        keep=keep,
    )


def keep_view(answer: datetime | KeepRefused, language: Language) -> KeepView:
    """Return whether "keep it" is possible, as programs and pages read it."""
    if isinstance(answer, datetime):
        return KeepView(possible=True, until=answer, code=None, reason=None)
    return KeepView(possible=False, until=None, code=answer.code, reason=render(answer.reason, language))

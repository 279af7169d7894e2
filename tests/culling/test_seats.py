"""Seats of an event that were started ahead: spared until a visitor has them, then judged by the event's rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jupytercloud_hub.contracts.seats import NO_SEAT, SEAT_STATE_KEY, Seat, seat_of
from jupytercloud_hub.contracts.stops import StopRequest
from jupytercloud_hub.contracts.text import Localized
from jupytercloud_hub.culling.facts import servers_of
from jupytercloud_hub.culling.rules import Action, Judge, Maintenance, Memory, Server
from jupytercloud_hub.settings.culling import CullingSettings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
UNASSIGNED = {SEAT_STATE_KEY: {"event": "salon", "seat": "unassigned"}}
NOTHING = Memory()
RULES = [
    {"name": "salon", "events": ["salon*"], "idle": "20 min", "warn": "5 min", "keep": {"duration": "30 min"}},
    {"name": "ordinary", "idle": "8 h"},
]


def seat(published: dict[str, Any] | None = None, state: dict[str, Any] | None = UNASSIGNED) -> Server:
    """Return a seat that has stood idle for five hours, as the hub's REST API shows it."""
    long_ago = (NOON - timedelta(hours=5)).isoformat()
    server = {"name": "", "started": long_ago, "last_activity": long_ago, "ready": True, "state": state}
    user = {"name": "seat-017", "user_info": {"jupytercloud": published or {}}, "servers": {"": server}}
    (found,) = servers_of(user)
    return found


def judged(server: Server, memory: Memory = NOTHING, maintenance: Maintenance | None = None) -> tuple[Action, str]:
    settings = CullingSettings.model_validate({"rules": RULES})
    verdict = Judge(settings, ZoneInfo("Europe/Paris"), NOON, maintenance).judge(server, memory)
    return verdict.action, verdict.planned.rule if verdict.planned else str(verdict.reason)


def test_a_seat_without_a_visitor_is_spared_however_long_it_waits() -> None:
    assert judged(seat()) == (Action.SPARE, "This seat waits for a visitor of the event.")


def test_once_a_visitor_has_it_the_rule_of_the_event_decides() -> None:
    assert judged(seat({"event": "salon", "seat": "assigned"})) == (Action.WARN, "salon")


def test_who_is_no_seat_is_not_matched_by_an_events_rule() -> None:
    assert judged(seat(state={})) == (Action.LEAVE, "ordinary")


def test_a_seat_without_a_visitor_is_no_ones_budget_but_a_maintenance_stops_it() -> None:
    waiting = seat()
    reason = {"fr": "Épuisé.", "en": "Used up."}
    asked = StopRequest(user="seat-017", started=waiting.started, at=NOON, rule="budget", reason=reason)
    assert judged(waiting, Memory(asked=asked))[0] is Action.SPARE
    assert judged(waiting, maintenance=Maintenance(NOON, Localized("Fermeture"))) == (Action.STOP, "maintenance")


@pytest.mark.parametrize(
    ("published", "state", "expected"),
    [
        (None, None, NO_SEAT),
        ({}, {SEAT_STATE_KEY: "unassigned"}, NO_SEAT),
        ({"event": 3, "seat": "unassigned"}, {}, NO_SEAT),
        ({}, UNASSIGNED, Seat("salon", waiting=True)),
        ({"event": "salon", "seat": "unassigned"}, {}, Seat("salon", waiting=True)),
        ({"event": "salon"}, {}, Seat("salon")),
        ({"event": "salon", "seat": "assigned"}, UNASSIGNED, Seat("salon")),
    ],
)
def test_what_the_authenticator_says_of_a_seat_comes_before_what_its_start_said(
    published: dict[str, Any] | None, state: dict[str, Any] | None, expected: Seat
) -> None:
    assert seat_of({"user_info": {"jupytercloud": published}}, state) == expected

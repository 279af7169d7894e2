"""The report's figures are those that a person would count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.events.hours_used import Hours
from jupytercloud_hub.events.report import percentile, report
from jupytercloud_hub.events.store import Store

TEN = datetime(2027, 3, 6, 9, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return TEN + timedelta(minutes=minutes)


def test_visitors_stand_in_their_quarter_of_an_hour():
    found = report(
        [(at(0), "entered", None), (at(14.99), "entered", None), (at(15), "entered", None), (at(16), "failed", None),
         (at(15.1), "notebook", 2.0), (at(15.2), "notebook", 8.0), (at(40), "turned-away", None)],
        ZoneInfo("Europe/Paris"),
    )  # fmt: skip
    assert [(f"{q.begins:%H:%M}", q.entered, q.failed, q.turned_away) for q in found.quarters] == [
        ("10:00", 2, 0, 0), ("10:15", 1, 1, 0), ("10:30", 0, 0, 1),
    ]  # fmt: skip
    assert (found.entered, found.failed, found.turned_away, found.p50, found.p95) == (3, 1, 1, 2.0, 8.0)


def test_hours_are_those_of_the_quarter_and_of_all():
    found = report(
        [(at(1), "visitor-seconds", 1800.0), (at(1), "server-seconds", 5400.0), (at(16), "visitor-seconds", 900.0)],
        ZoneInfo("Europe/Paris"),
    )
    assert [(quarter.visitor_hours, quarter.server_hours) for quarter in found.quarters] == [(0.5, 1.5), (0.25, 0.0)]
    assert (found.visitor_hours, found.server_hours, found.entered) == (0.75, 1.5, 0)


class Noted(Store):
    def __init__(self) -> None:
        self.rows: list[tuple[str, float | None]] = []

    async def happened(self, at: datetime, what: str, seconds: float | None = None) -> None:
        self.rows.append((what, seconds))


async def test_seats_without_a_visitor_count_as_servers_only_and_a_clock_that_jumps_counts_little():
    noted = Noted()
    hours = Hours(noted)
    servers = {"seat-0001": {"ready": True}, "seat-0002": {"ready": True}, "seat-0003": {"ready": False}}
    for second in (0, 20, 40, 60):
        await hours.add(TEN + timedelta(seconds=second), {"seat-0001", "seat-0003"}, servers)
    assert noted.rows == [("visitor-seconds", 60.0), ("server-seconds", 120.0)]
    await hours.add(TEN + timedelta(days=1), {"seat-0001"}, servers)
    await hours.add(TEN, {"seat-0001"}, servers)
    assert sum(seconds or 0 for what, seconds in noted.rows[2:] if what == "visitor-seconds") == 30.0


def test_nothing_happened():
    found = report([], ZoneInfo("Europe/Paris"))
    assert (found.quarters, found.entered, found.p50) == ((), 0, None)


@given(st.lists(st.floats(0, 1000), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_a_value_that_at_least_so_many_do_not_exceed(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9

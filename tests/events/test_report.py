"""The report's figures are those that a person would count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.events.report import percentile, report

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


def test_nothing_happened():
    found = report([], ZoneInfo("Europe/Paris"))
    assert (found.quarters, found.entered, found.p50) == ((), 0, None)


@given(st.lists(st.floats(0, 1000), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_a_value_that_at_least_so_many_do_not_exceed(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9

"""Rules that count at some hours only: on the site's clock, over midnight, over the change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.culling.timetable import HORIZON, holds, segments
from jupytercloud_hub.settings.culling import DAYS, CullingRule, When

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("number", "when", "local", "expected"),
    [
        (1, {}, "2026-11-20T03:00", True),
        (2, {"from_hour": "08:00", "to_hour": "18:00"}, "2026-11-20T08:00", True),
        (3, {"from_hour": "08:00", "to_hour": "18:00"}, "2026-11-20T18:00", False),
        (4, {"from_hour": "20:00", "to_hour": "24:00"}, "2026-11-20T23:59", True),
        (5, {"from_hour": "20:00", "to_hour": "07:00"}, "2026-11-20T06:59", True),
        (6, {"from_hour": "20:00", "to_hour": "07:00"}, "2026-11-20T12:00", False),
        # Friday's night ends on Saturday at seven; Thursday's is not in it
        (7, {"days": ["fri"], "from_hour": "20:00", "to_hour": "07:00"}, "2026-11-21T06:59", True),
        (8, {"days": ["fri"], "from_hour": "20:00", "to_hour": "07:00"}, "2026-11-20T06:59", False),
        (9, {"days": ["sat", "sun"]}, "2026-11-22T00:00", True),
        (10, {"days": ["sat", "sun"]}, "2026-11-23T00:00", False),
        (11, {"first_day": "2027-01-04", "last_day": "2027-01-15"}, "2027-01-15T23:59", True),
        (12, {"first_day": "2027-01-04", "last_day": "2027-01-15"}, "2027-01-16T00:00", False),
        (13, {"last_day": "2027-01-15", "from_hour": "22:00", "to_hour": "02:00"}, "2027-01-16T01:00", True),
    ],
)
def test_when_is_read_on_the_sites_clock(number: int, when: dict[str, Any], local: str, expected: bool) -> None:
    assert holds(When.model_validate(when), datetime.fromisoformat(local)) is expected, number


def rule(name: str, **when: Any) -> CullingRule:
    whens = [when] if when else []
    return CullingRule.model_validate({"name": name, "idle": "1 h", "when": whens})


def test_rules_without_hours_need_one_segment_only() -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    (only,) = segments([rule("a"), rule("b")], now, PARIS)
    assert (only.start, only.end, only.rules) == (now, None, {"a", "b"})


def test_an_exam_week_in_two_months_is_foretold() -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    found = segments([rule("exams", first_day="2027-01-18", last_day="2027-01-22")], now, PARIS)
    assert [segment.start for segment in found[1:]] == [
        datetime(2027, 1, 17, 23, tzinfo=UTC),
        datetime(2027, 1, 22, 23, tzinfo=UTC),
    ]


CLOCKS = st.times().map(lambda t: f"{t.hour:02}:{t.minute:02}")
WHENS = st.fixed_dictionaries(
    {"from_hour": CLOCKS, "to_hour": CLOCKS, "days": st.lists(st.sampled_from(DAYS), unique=True)}
)
INSTANTS = st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 5)).map(lambda t: t.replace(tzinfo=UTC))


@settings(max_examples=150, deadline=None)
@given(when=WHENS, now=INSTANTS, after=st.timedeltas(timedelta(0), HORIZON - timedelta(days=1)))
def test_segments_say_what_the_clock_says_at_any_instant_also_when_clocks_change(
    when: dict[str, Any], now: datetime, after: timedelta
) -> None:
    night = rule("night", **when)
    instant = now + after
    (segment,) = [s for s in segments([night], now, PARIS) if s.start <= instant and (not s.end or instant < s.end)]
    assert ("night" in segment.rules) is holds(night.when[0], instant.astimezone(PARIS))

"""Ninety days of a site: shares per day, days of 23 hours, what is not known, what was announced."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from jupytercloud_hub.federation.history import days, share
from jupytercloud_hub.federation.model import SiteState
from jupytercloud_hub.federation.registry import Transition

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 11, 20, 12, tzinfo=PARIS)


def step(when: datetime, state: str) -> Transition:
    return Transition("reims", when, SiteState(state), "")


def test_a_day_counts_the_time_in_which_the_site_could_be_used():
    midnight = datetime(2026, 11, 20, tzinfo=PARIS)
    steps = [
        step(midnight - timedelta(days=2), "up"),
        step(midnight - timedelta(hours=12), "down"),
        step(midnight, "full"),
        step(midnight + timedelta(hours=6), "maintenance"),
    ]
    listed = days(steps, NOON, PARIS)
    assert len(listed) == 90
    assert [one.day for one in listed[-2:]] == [date(2026, 11, 19), date(2026, 11, 20)]
    assert [one.share for one in listed[-3:]] == [1, pytest.approx(0.5), 1]
    assert listed[-1].announced == timedelta(hours=6)
    assert listed[-4].share is None
    assert share(listed) == pytest.approx((24 + 12 + 6) / (24 + 24 + 6))


def test_the_day_of_the_change_of_clocks_has_its_own_length():
    now = datetime(2026, 10, 26, tzinfo=PARIS)
    listed = days([step(datetime(2026, 10, 1, tzinfo=UTC), "up")], now, PARIS)
    assert listed[-2].day == date(2026, 10, 25)
    assert listed[-2].known == timedelta(hours=25)
    assert listed[-2].share == 1


def test_nothing_is_known_before_the_first_step_nor_while_the_portal_was_stopped():
    steps = [step(NOON - timedelta(hours=3), "up"), step(NOON - timedelta(hours=2), "unknown")]
    listed = days(steps, NOON, PARIS)
    assert listed[-1].known == timedelta(hours=1)
    assert share(days([], NOON, PARIS)) is None


def test_a_site_that_is_new_was_not_away_before_it_was_first_there():
    begun = NOON - timedelta(minutes=2)
    steps = [step(begun, "down"), step(begun + timedelta(seconds=20), "up")]
    listed = days(steps, NOON, PARIS)
    assert (listed[-1].look, listed[-1].share) == ("usable", 1)
    assert {one.look for one in listed[:-1]} == {"unknown"}
    never = days([step(begun, "unknown"), step(begun, "down")], NOON, PARIS)
    assert {one.look for one in never} == {"unknown"}
    old = days([step(NOON - timedelta(days=100), "down")], NOON, PARIS)
    assert {one.look for one in old} == {"bad"}


def test_a_short_absence_looks_the_same_on_a_day_of_which_little_is_known():
    began = NOON - timedelta(minutes=3)
    steps = [step(began, "up"), step(began + timedelta(minutes=1), "down"), step(began + timedelta(minutes=2), "up")]
    today = days(steps, NOON, PARIS)[-1]
    assert today.look == "usable"
    assert today.share == pytest.approx(2 / 3)
    steps[2] = step(began + timedelta(minutes=61), "up")
    assert days(steps, began + timedelta(minutes=180), PARIS)[-1].look == "some"
    assert days(steps, began + timedelta(minutes=90), PARIS)[-1].look == "bad"
    announced = [step(began, "up"), step(began, "maintenance")]
    assert days(announced, NOON, PARIS)[-1].look == "announced"

"""The state machine of health, step by step, and what must hold for any sequence of probes."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.contracts.heartbeat import Heartbeat, Notice
from jupytercloud_hub.contracts.text import Text
from jupytercloud_hub.federation.health import (
    Health,
    Order,
    ProbeResult,
    after_probe,
    next_probe,
    ramp,
    standing,
    worth_a_look,
)
from jupytercloud_hub.federation.model import SiteState
from jupytercloud_hub.settings.federation import HealthSettings

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
RULES = HealthSettings()
UNKNOWN, UP, SLOW, DOWN = SiteState.UNKNOWN, SiteState.UP, SiteState.DEGRADED, SiteState.DOWN


def second(n: float) -> datetime:
    return T0 + timedelta(seconds=n)


def probes(pattern: str, start: Health | None = None) -> Health:
    """Health after probes a second apart: ``+`` good, ``s`` good but slow, ``-`` failed."""
    health = start or Health()
    begun = (health.probed or T0) + timedelta(seconds=1)
    for place, mark in enumerate(pattern):
        took = timedelta(seconds=1.2 if mark == "s" else 0.01)
        health = after_probe(health, ProbeResult(mark != "-", took, Text("x")), begun + timedelta(seconds=place), RULES)
    return health


@pytest.mark.parametrize(
    ("pattern", "state"),
    [
        ("", UNKNOWN),
        ("+", UNKNOWN),
        ("++", UP),
        ("-", UNKNOWN),
        ("--", DOWN),
        ("+-+-+", UNKNOWN),
        ("++-", UP),
        ("++-+", UP),
        ("++--", DOWN),
        ("++--+", DOWN),
        ("++--+-+", DOWN),
        ("++--++", UP),
        ("++s", SLOW),
        ("++s+", UP),
        ("ss", SLOW),
    ],
)
def test_after_these_probes_the_site_is(pattern, state):
    assert probes(pattern).state is state


@settings(max_examples=300)
@given(st.text("+s-", max_size=30))
def test_a_routable_site_never_failed_its_last_two_probes_and_a_down_one_never_passed_them(pattern):
    state = probes(pattern).state
    if state.routable:
        assert not pattern.endswith("--")
    if state is DOWN:
        assert not pattern.endswith(("++", "s+", "+s", "ss"))


@settings(max_examples=200)
@given(st.text("+s-", max_size=30), st.integers())
def test_the_next_probe_is_never_later_than_the_cap_and_news_gets_a_quick_second_look(pattern, seed):
    health = probes(pattern)
    wait = next_probe(health, RULES, random.Random(seed))
    assert timedelta(0) < wait <= RULES.longest
    if pattern.endswith(("++-", "--+")):
        assert wait <= RULES.second_look


def test_a_site_that_stays_down_is_looked_at_less_and_less_up_to_thirty_seconds():
    waits = [next_probe(probes("++" + "-" * n), RULES, random.Random(1)).total_seconds() for n in range(2, 12)]
    assert waits[0] <= 2
    assert waits[-1] > 26
    assert all(later > before * 0.85 for before, later in pairwise(waits))


def test_a_site_that_comes_back_gets_its_people_little_by_little():
    back = probes("++--++")
    assert ramp(probes("++"), second(2), RULES) == 1
    assert ramp(back, back.up_since, RULES) == pytest.approx(0.1)
    assert ramp(back, back.up_since + timedelta(seconds=30), RULES) == pytest.approx(0.5)
    assert ramp(back, back.up_since + timedelta(seconds=90), RULES) == 1


def beat(**more) -> Heartbeat:
    return Heartbeat(site="reims", sent=T0, **more)


@pytest.mark.parametrize(
    ("pattern", "heartbeat", "age", "expected"),
    [
        ("++", beat(), 1, UP),
        ("++", beat(free={"*": 0}), 1, SiteState.FULL),
        ("++", beat(drain=Notice()), 1, SiteState.DRAINING),
        ("++", beat(maintenance=Notice()), 1, SiteState.MAINTENANCE),
        ("++", beat(free={"*": 0}), 61, UP),  # expired
        ("++", beat(drain=Notice(until=second(10))), 11, UP),  # the announced end
        ("--", beat(), 1, DOWN),  # a heartbeat never raises
        ("", beat(), 1, UNKNOWN),
        ("--", beat(drain=Notice()), 1, DOWN),
        ("--", beat(maintenance=Notice()), 1, SiteState.MAINTENANCE),  # says more than "does not answer"
        ("++", None, 0, UP),
    ],
)
def test_a_heartbeat_only_lowers_and_expires(pattern, heartbeat, age, expected):
    assert standing(probes(pattern), heartbeat, (), second(age), RULES).state is expected


def test_an_order_of_the_portal_holds_until_its_end():
    order = Order(SiteState.DRAINING, Notice(until=second(100)))
    assert standing(probes("++"), None, (order,), second(99), RULES).state is SiteState.DRAINING
    assert standing(probes("++"), None, (order,), second(100), RULES).state is UP


def test_a_good_heartbeat_of_a_dead_site_is_worth_a_look():
    assert worth_a_look(probes("++--"), beat())
    assert not worth_a_look(probes("++--"), beat(drain=Notice()))
    assert not worth_a_look(probes("++"), beat())

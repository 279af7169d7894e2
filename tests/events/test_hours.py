"""When an event is open, how many seats stand ready, and what can't work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from jupytercloud_hub.events.hours import Door, Orders, end_of, standing, warm_wanted, windows
from jupytercloud_hub.events.plan import Facts, refusals
from jupytercloud_hub.events.purge_plan import ALL_CODES, Task, tasks
from jupytercloud_hub.profiles.catalogue import Catalogue, Profile
from jupytercloud_hub.settings.event import EventSettings

PARIS = ZoneInfo("Europe/Paris")
GIB = 1024**3


def event(**more) -> EventSettings:
    given = {
        "opens": "2027-03-27T10:00+01:00",
        "closes": "2027-03-28T19:00+02:00",  # the clocks go forward in the night between
        "hours": {"from_hour": "10:00", "to_hour": "19:00"},
        "seats": 200,
        "profile": "pycoa",
        "code_key": {"file": "code.key"},
    }
    return EventSettings.model_validate({**given, **more})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


CASES = [
    # instant, door, opens, closes
    ("2027-03-26T12:00", Door.BEFORE, "2027-03-27T10:00", None),
    ("2027-03-27T09:59", Door.BEFORE, "2027-03-27T10:00", None),
    ("2027-03-27T10:00", Door.OPEN, None, "2027-03-27T19:00"),
    ("2027-03-27T18:59", Door.OPEN, None, "2027-03-27T19:00"),
    ("2027-03-27T19:00", Door.NIGHT, "2027-03-28T10:00", None),
    ("2027-03-28T02:30", Door.NIGHT, "2027-03-28T10:00", None),
    ("2027-03-28T10:00", Door.OPEN, None, "2027-03-28T19:00"),
    ("2027-03-28T19:00", Door.OVER, None, None),
    ("2030-01-01T00:00", Door.OVER, None, None),
]


@pytest.mark.parametrize(("instant", "door", "opens", "closes"), CASES)
def test_the_door(instant, door, opens, closes):
    found = standing(event(), PARIS, at(instant).astimezone(UTC))
    assert (found.door, found.opens, found.closes) == (door, opens and at(opens), closes and at(closes))


def test_without_hours_it_is_open_from_the_first_to_the_last_instant():
    assert windows(event(hours=None), PARIS) == [(at("2027-03-27T10:00"), at("2027-03-28T19:00"))]


def test_an_organizer_can_end_it_for_good_on_the_first_day():
    by_hand = at("2027-03-27T15:00")
    ended = Orders(closed=by_hand)
    assert standing(event(), PARIS, at("2027-03-27T14:59"), ended).closes == by_hand
    assert standing(event(), PARIS, by_hand, ended).door is Door.OVER
    assert standing(event(), PARIS, at("2027-03-28T12:00"), ended).door is Door.OVER
    assert end_of(event(), PARIS, ended) == by_hand


def test_an_organizer_can_let_one_day_go_on_for_longer():
    longer = Orders(until=at("2027-03-27T19:30"))
    assert standing(event(), PARIS, at("2027-03-27T19:15"), longer).closes == at("2027-03-27T19:30")
    assert standing(event(), PARIS, at("2027-03-27T19:30"), longer).door is Door.NIGHT
    assert standing(event(), PARIS, at("2027-03-28T11:00"), longer).closes == at("2027-03-28T19:00")
    last = Orders(until=at("2027-03-28T20:00"))
    assert end_of(event(), PARIS, last) == at("2027-03-28T20:00")
    assert standing(event(), PARIS, at("2027-03-27T19:15"), last).door is Door.NIGHT
    assert end_of(event(), PARIS, Orders(closed=at("2027-03-28T19:45"), until=last.until)) == at("2027-03-28T19:45")


WARM = [
    # instant, seats with a visitor, ready ones wanted
    ("2027-03-27T09:29", 0, 0),
    ("2027-03-27T09:30", 0, 20),
    ("2027-03-27T11:00", 100, 20),
    ("2027-03-27T11:00", 190, 10),
    ("2027-03-27T11:00", 200, 0),
    ("2027-03-27T23:00", 0, 0),
    ("2027-03-28T09:45", 0, 20),
    ("2027-03-28T20:00", 0, 0),
]


@pytest.mark.parametrize(("instant", "held", "wanted"), WARM)
def test_seats_stand_ready_before_the_doors_open_and_not_at_night(instant, held, wanted):
    assert warm_wanted(event(), standing(event(), PARIS, at(instant)), at(instant), held) == wanted


def facts(**more) -> Facts:
    given = {"now": at("2027-01-10T12:00"), "zone": PARIS, "memory": 512 * GIB, "backend": "swarm", "public": True,
             "fictitious_data_confirmed": False}  # fmt: skip
    return Facts(**{**given, **more})


def catalogue(memory: str = "2 GiB") -> Catalogue:
    return Catalogue((Profile.model_validate({"name": "pycoa", "title": "P", "resources": {"memory": memory}}),))


REFUSED = [
    # event, codes, facts, figures that are named
    ({}, 200, {"memory": 128 * GIB}, ["200 seats × 2 GiB = 400 GiB", "127 GiB", "63 seats fit"]),
    ({}, 200, {"memory": None}, ["--memory"]),
    ({}, 200, {"now": at("2027-04-01T12:00")}, ["2027-03-28T19:00+02:00", "2027-04-01T12:00+02:00"]),
    ({}, 200, {"now": at("2027-03-27T12:00")}, ["2027-03-27T10:00+01:00"]),
    ({"profile": "pycao"}, 200, {}, ["pycao", "the catalogue has: pycoa"]),
    ({}, 150, {}, ["150 codes for 200 seats"]),
    ({}, 200, {"public": False}, ["host name"]),
    ({}, 200, {"made_up_profiles": frozenset({"pycoa"})}, ["--fictitious-data"]),
    ({"closes": "2027-06-27T19:00+02:00"}, 200, {}, ["92 days", "at most 31"]),
    ({"opens": "2027-03-27T20:00+01:00", "closes": "2027-03-28T09:00+02:00"}, 200, {}, ["hours of the day"]),
]


@pytest.mark.parametrize(("about", "codes", "met", "figures"), REFUSED)
def test_what_cannot_work_is_refused_with_its_figures(about, codes, met, figures):
    (problem,) = refusals(event(**about), codes, catalogue(), facts(**met))
    assert [figure for figure in figures if figure not in str(problem)] == []


def test_what_can_work_is_not_refused():
    assert list(refusals(event(), 200, catalogue(), facts())) == []
    assert list(refusals(event(), 0, catalogue(), facts())) == []


def test_a_purge_goes_on_where_it_was_interrupted_and_ends_with_the_codes():
    everything = tasks(["seat-002", "seat-001"], ())
    assert everything[0] == Task("server", "seat-001")
    assert everything[-1] == ALL_CODES
    assert len(everything) == 11
    for number in range(len(everything) + 1):
        assert tasks(["seat-001", "seat-002"], everything[:number]) == everything[number:]


def test_hours_and_dates_in_the_wrong_order_are_refused():
    for wrong in ({"closes": "2027-03-27T10:00+01:00"}, {"hours": {"from_hour": "19:00", "to_hour": "10:00"}}):
        with pytest.raises(ValueError, match="later"):
            event(**wrong)
    with pytest.raises(ValueError, match="timezone"):
        event(opens="2027-03-27T10:00")


def test_a_clock_that_jumps_back_only_makes_it_be_open_again():
    now = at("2027-03-27T11:00")
    assert standing(event(), PARIS, now + timedelta(days=30)).door is Door.OVER
    assert standing(event(), PARIS, now).door is Door.OPEN

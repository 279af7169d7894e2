from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.profiles.access import AccessRule, refusal
from jupytercloud_hub.profiles.hours import Span, closed

PARIS = ZoneInfo("Europe/Paris")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a moment of the week that begins on Monday, 2026-11-16."""
    return datetime(2026, 11, 15 + day, hour, minute, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("span", "moment", "inside"),
    [
        ("mon-fri 08:00-20:00", at(1, 8), True),
        ("mon-fri 08:00-20:00", at(1, 7, 59), False),
        ("mon-fri 08:00-20:00", at(5, 19, 59), True),
        ("mon-fri 08:00-20:00", at(5, 20), False),
        ("mon-fri 08:00-20:00", at(6, 12), False),
        ("sat 00:00-24:00", at(6, 23, 59), True),
        ("sat 22:00-06:00", at(6, 23), True),
        ("sat 22:00-06:00", at(7, 5, 59), True),
        ("sat 22:00-06:00", at(6, 5), False),
        ("fri-mon 10:00-12:00", at(7, 11), True),
        ("fri-mon 10:00-12:00", at(3, 11), False),
        ("Mon  08:00-09:00", at(1, 8), True),
    ],
)
def test_span_begins_and_ends_to_the_minute(span: str, moment: datetime, inside: bool) -> None:
    assert (moment in Span(span)) is inside


@pytest.mark.parametrize("text", ["", "mon", "lun 08:00-09:00", "mon 8:00-9:00", "mon 08:00-24:01", "mon 08:60-09:00"])
def test_other_words_are_mistakes(text: str) -> None:
    with pytest.raises(ValueError, match="mon-fri 08:00-20:00"):
        Span(text)


def test_closed_hours_are_told_in_both_languages() -> None:
    no = closed((Span("mon-fri 08:00-20:00"), Span("sat 09:00-12:00")), at(7, 12))
    assert no is not None
    assert no.params["hours"].in_("fr") == "lun–ven 08:00–20:00, sam 09:00–12:00"
    assert no.params["hours"].in_("en") == "mon–fri 08:00–20:00, sat 09:00–12:00"


def test_hours_are_one_more_thing_that_a_rule_asks() -> None:
    rules = (AccessRule.model_validate({"groups": ["a"], "hours": ["mon-fri 08:00-20:00"]}),)
    member = Person(username="m", groups=("a",))
    assert refusal(rules, member, now=at(1, 9)) is None
    assert "hours" in str(refusal(rules, member, now=at(6, 9)))
    assert "group a" in str(refusal(rules, Person(username="x"), now=at(1, 9)))

"""Mistakes in the section ``culling:`` are told in words that say what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from jupytercloud_hub.settings.culling import CullingSettings

IDLE = {"name": "ordinary", "idle": "1 h"}


@pytest.mark.parametrize(
    ("number", "section", "words"),
    [
        (1, {"rules": [{"name": "a"}]}, "a rule has idle, max_age or both"),
        (2, {"rules": [{**IDLE, "spare": True}]}, "take idle and max_age out"),
        (3, {"rules": [IDLE, IDLE]}, "two rules are named ordinary"),
        (4, {"rules": [{**IDLE, "warn": "1 h"}]}, "warn must be shorter"),
        (5, {"rules": [{**IDLE, "idle": "5 min"}]}, "give it its own warn"),
        (6, {"rules": [{**IDLE, "idle": "90"}]}, "a duration with its unit"),
        (7, {"rules": [{**IDLE, "name": "Ordinary rule"}]}, "should match pattern"),
        (8, {"rules": [{**IDLE, "when": [{"days": ["monday"]}]}]}, "'mon', 'tue'"),
        (9, {"rules": [{**IDLE, "when": [{"from_hour": "25:00"}]}]}, 'such as "08:00"'),
        (
            10,
            {"rules": [{**IDLE, "when": [{"first_day": "2027-01-09", "last_day": "2027-01-04"}]}]},
            "is before first_day",
        ),
        (11, {"rules": [{**IDLE, "keep": {"duration": "0 s", "times": 1}}]}, "times: 0"),
        (12, {"rules": [{**IDLE, "when": [{"from_hour": 8}]}]}, "in quotes"),
        (15, {"webhook": {"url": "http://mail.example.fr/hook"}}, "in https"),
        (16, {"webhook": {"url": "https://mail.example.fr/hook", "token": "abc"}}, "a secret is not written here"),
        (18, {"rules": [{**IDLE, "warn": "20 min", "keep": {"duration": "20 min"}}]}, "longer than warn"),
        (17, {"report_every": "4 min"}, "twice report_every"),
        (13, {"every": "0 s"}, "at least one second"),
        (14, {"concurrency": 0}, "greater than or equal to 1"),
    ],
)
def test_each_mistake_is_refused_and_says_what_to_write(number: int, section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as error:
        CullingSettings.model_validate(section)
    assert words in str(error.value), number


def test_one_name_may_stand_where_many_are_possible() -> None:
    section = CullingSettings.model_validate({"rules": [{**IDLE, "profiles": "tp-*", "gpu": ["a100"]}]})
    assert section.rules[0].profiles == ("tp-*",)
    assert section.rules[0].gpu == ("a100",)

"""What is charged to a person."""

from __future__ import annotations

import pytest

from .measure import Phase, per_person, side_of


def phase(side: str, name: str, people: int, servers: int, seconds: float, hub: float) -> Phase:
    return Phase(
        side, name, people, servers, seconds, {"grenoble hub": hub, "stock hub": 9.0, "provider": 0.1 * people}
    )


RESTS = (phase("both", "rest", 0, 0, 10.0, 0.1), phase("both", "rest", 0, 20, 10.0, 0.5))
"""0.01 of a core with no server, 0.05 with twenty."""


def test_a_person_is_charged_with_what_her_arrival_adds() -> None:
    waves = [phase("ours", "arrive", 10, 0, 5.0, 1.05), phase("ours", "arrive", 10, 10, 5.0, 1.15)]
    told = per_person(waves, RESTS, "ours", "arrive")
    # 1.05 - 5 x 0.01, and 1.15 - 5 x 0.03: two seconds for twenty people
    assert told == {"grenoble hub": pytest.approx(0.1), "provider": pytest.approx(0.1)}


def test_what_the_other_side_or_another_step_uses_is_not_hers() -> None:
    waves = [phase("stock", "arrive", 10, 0, 5.0, 3.0), phase("ours", "stop", 10, 20, 5.0, 3.0)]
    assert per_person(waves, RESTS, "ours", "arrive") == {"grenoble hub": 0.0, "provider": 0.0}


@pytest.mark.parametrize(
    ("process", "side"),
    [("grenoble hub", "ours"), ("portal federation", "ours"), ("light-grenoble", "ours"), ("stock hub", "stock"),
     ("stock proxy", "stock"), ("light-stock", "stock"), ("provider", "shared"), ("driver", "shared")],
)  # fmt: skip
def test_each_process_is_of_one_side(process: str, side: str) -> None:
    assert side_of(process) == side

"""What stops give back is counted until the owner starts again, and a day at most."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupytercloud_hub.culling.reclaimed import Freed, Hours, reclaimed

from .fakes import NOON

HOUR = timedelta(hours=1)
STOP = Freed("anna", "", NOON, "gpu", cpu=4, memory=16 * 1024**3, gpu=1)


@pytest.mark.parametrize(
    ("number", "since", "until", "running", "expected"),
    [
        (1, 0, 1, (), Hours(4, 16, 1)),
        (2, -1, 0.5, (), Hours(2, 8, 0.5)),  # from the stop on, not before
        (3, 0, 1, {("anna", "")}, None),  # she started it again
        (4, 23, 26, (), Hours(4, 16, 1)),  # a day at most
        (5, 25, 26, (), None),
        (6, -2, -1, (), None),
    ],
)
def test_hours_count_from_the_stop_to_the_next_start(
    number: int, since: float, until: float, running: set[tuple[str, str]], expected: Hours | None
) -> None:
    found = reclaimed([STOP], running, NOON + since * HOUR, NOON + until * HOUR)
    assert found == ({"gpu": expected} if expected else {}), number


def test_two_stops_of_one_server_never_count_the_same_hour_twice() -> None:
    later = Freed("anna", "", NOON + HOUR, "night", cpu=4, memory=16 * 1024**3, gpu=1)
    found = reclaimed([STOP, later], (), NOON + 2 * HOUR, NOON + 3 * HOUR)
    assert found == {"night": Hours(4, 16, 1)}

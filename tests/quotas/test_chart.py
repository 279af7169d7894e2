"""The picture of usage: what it shows stands at the right height, whatever is in it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupytercloud_hub.quotas.chart import COLOURS, HEIGHT, LEFT, WIDTH, chart

FIRST = date(2026, 2, 20)


@pytest.mark.parametrize(
    ("most", "top"), [(0.003, 0.003), (0.07, 0.08), (1, 1), (3, 3), (7, 8), (13, 15), (100, 100), (101, 150)]
)
def test_the_axis_ends_at_a_round_number_just_above(most, top):
    found = chart([(FIRST, "lab", most)], FIRST, FIRST)
    assert found.heights[-1].value == pytest.approx(top)
    assert 3 <= len(found.heights) <= 6


def test_nothing_used_is_an_empty_picture_with_its_axis():
    found = chart([], FIRST, FIRST + timedelta(days=29))
    assert (found.parts, found.legend) == ((), ())
    assert [mark.value for mark in found.heights] == [0, 1]
    assert found.days[0].value == FIRST + timedelta(days=29)


def test_next_to_nothing_has_the_axis_of_nothing():
    found = chart([(FIRST, "a", 5e-324)], FIRST, FIRST)
    assert [mark.value for mark in found.heights] == [0, 1]


def test_more_profiles_than_colours_share_the_last_one():
    values = [(FIRST, f"p{number}", 100 - number) for number in range(COLOURS + 3)]
    assert [colour for _, colour in chart(values, FIRST, FIRST).legend] == [0, 1, 2, 3, 4, 5, 5, 5, 5]


days = st.integers(0, 89).map(lambda number: FIRST + timedelta(days=number))
values = st.lists(st.tuples(days, st.sampled_from(["a", "b", "c"]), st.floats(0, 1e6)), max_size=80)


@given(values=values)
def test_every_part_is_inside_and_as_high_as_its_value(values):
    found = chart(values, FIRST, FIRST + timedelta(days=89))
    scale = found.heights[-1].value
    room = found.heights[0].at - found.heights[-1].at
    for part in found.parts:
        assert part.x >= LEFT
        assert part.x + part.width <= WIDTH
        assert -1e-6 <= part.y <= part.y + part.height <= HEIGHT
        assert part.height == pytest.approx(part.value / scale * room, abs=1e-6)
    assert sum(part.value for part in found.parts) == pytest.approx(sum(value for _, _, value in values))

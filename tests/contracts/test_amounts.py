"""Durations and memory as people write and read them."""

from __future__ import annotations

from datetime import timedelta

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupytercloud_hub.contracts.units import Bytes, Duration, format_bytes, format_duration, parse_bytes, parse_duration

DURATION = pydantic.TypeAdapter(Duration)
BYTES = pydantic.TypeAdapter(Bytes)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 s", 90),
        ("90s", 90),
        ("30 min", 1800),
        ("2 h", 7200),
        ("1.5 h", 5400),
        ("1 d", 86400),
        ("2 w", 1209600),
        ("1 h 30 min", 5400),
        ("0 s", 0),
    ],
)
def test_a_duration_with_its_unit_is_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", [30, 30.0, "30", "", "soon", "30 minutes", "-5 min", "5 min ago", "1 h, 2 min", "min", None, True, "1e3 s"]
)
def test_a_duration_without_a_known_unit_is_refused_because_nobody_knows_what_it_means(value):
    with pytest.raises(pydantic.ValidationError, match="with its unit"):
        DURATION.validate_python(value)


def test_a_duration_beyond_all_calendars_is_refused_and_does_not_break_the_program():
    with pytest.raises(pydantic.ValidationError):
        DURATION.validate_python("9999999999999 w")


@given(
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000)).map(
        lambda d: timedelta(seconds=d // timedelta(seconds=1))
    )
)
def test_a_duration_that_is_written_down_is_read_back_as_the_same(duration):
    assert DURATION.validate_python(DURATION.dump_python(duration)) == duration


@pytest.mark.parametrize(
    ("seconds", "french", "english"),
    [
        (0, "0 s", "0 s"),
        (59, "59 s", "59 s"),
        (60, "1 min", "1 min"),
        (90, "2 min", "2 min"),
        (3600, "1 h", "1 h"),
        (5400, "1 h 30 min", "1 h 30 min"),
        (86400, "1 j", "1 d"),
        (90000, "1 j 1 h", "1 d 1 h"),
        (86399, "1 j", "1 d"),
        (-5, "0 s", "0 s"),
    ],
)
def test_people_read_durations_in_their_language(seconds, french, english):
    duration = timedelta(seconds=seconds)
    assert (format_duration(duration, "fr"), format_duration(duration, "en")) == (french, english)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1 B", 1),
        ("500 MB", 500_000_000),
        ("16 GiB", 16 * 2**30),
        ("1.5GiB", 3 * 2**29),
        ("2 TiB", 2**41),
        ("1 kB", 1000),
    ],
)
def test_memory_with_its_unit_is_read(text, amount):
    assert parse_bytes(text) == amount


@pytest.mark.parametrize(
    ("text", "better"), [("16G", "16 GiB"), ("512 M", "512 MiB"), ("1 g", "1 GiB"), ("2 gb", "2 GiB")]
)
def test_an_ambiguous_unit_of_memory_is_refused_with_what_to_write(text, better):
    with pytest.raises(pydantic.ValidationError, match=f"write {better}"):
        BYTES.validate_python(text)


@pytest.mark.parametrize("value", [16, 0, -1, True, None, "16", "GiB", "16 XB", "1 GiB 2 MiB", 1.5])
def test_memory_without_a_unit_is_refused(value):
    with pytest.raises(pydantic.ValidationError, match="with its unit"):
        BYTES.validate_python(value)


@given(st.integers(min_value=2**20, max_value=2**50))
def test_memory_that_is_written_down_is_read_back_as_the_same(amount):
    assert BYTES.validate_python(BYTES.dump_python(amount)) == amount


@given(st.integers(min_value=0, max_value=2**50))
@example(2**20 - 51)
@example(2**30 - 1)
def test_memory_that_people_read_is_right_to_one_digit(amount):
    number, unit = format_bytes(amount).split()
    factor = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit]
    assert abs(float(number) * factor - amount) <= 0.05 * factor
    assert float(number) < 1024 or unit == "TiB"

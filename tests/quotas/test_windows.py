"""Days and windows: their edges, and that nothing is lost or doubled over any change of clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.quotas.windows import DAY, day_start, local_day, months_and_days, next_month, span, split_by_day

PARIS = ZoneInfo("Europe/Paris")
# zones whose clocks change at midnight, by half an hour, backwards over midnight, or that skipped a day
ZONES = ["Europe/Paris", "UTC", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe"]
ZONES += ["America/St_Johns", "Pacific/Apia", "America/Havana", "Indian/Reunion", "America/Cayenne"]
moments = st.integers(
    int(datetime(1987, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
)


@pytest.mark.parametrize(
    ("number", "window", "now", "first", "end", "resets"),
    [
        (1, "month", "2026-11-20T09:00Z", "2026-11-01", "2026-12-01", "2026-11-30T23:00Z"),
        (2, "month", "2026-10-31T22:59Z", "2026-10-01", "2026-11-01", "2026-10-31T23:00Z"),
        (3, "month", "2026-10-31T23:00Z", "2026-11-01", "2026-12-01", "2026-11-30T23:00Z"),
        (4, "month", "2028-02-29T22:59Z", "2028-02-01", "2028-03-01", "2028-02-29T23:00Z"),
        (5, "month", "2026-12-31T23:30Z", "2027-01-01", "2027-02-01", "2027-01-31T23:00Z"),
        (6, "month", "2026-06-30T21:59Z", "2026-06-01", "2026-07-01", "2026-06-30T22:00Z"),
        (7, "academic-year", "2026-08-31T21:59Z", "2025-09-01", "2026-09-01", "2026-08-31T22:00Z"),
        (8, "academic-year", "2026-08-31T22:00Z", "2026-09-01", "2027-09-01", "2027-08-31T22:00Z"),
        (9, "academic-year", "2028-02-29T12:00Z", "2027-09-01", "2028-09-01", "2028-08-31T22:00Z"),
        (10, timedelta(days=1), "2026-03-29T00:30Z", "2026-03-29", "2026-03-30", "2026-03-29T22:00Z"),
        (11, timedelta(days=30), "2026-03-29T21:59Z", "2026-02-28", "2026-03-30", "2026-03-29T22:00Z"),
        (12, timedelta(days=30), "2028-03-10T12:00Z", "2028-02-10", "2028-03-11", "2028-03-10T23:00Z"),
    ],
)
def test_a_window_is_these_days_and_resets_then_in_paris(number, window, now, first, end, resets):
    found = span(window, datetime.fromisoformat(now), PARIS)
    assert (found.first.isoformat(), found.end.isoformat()) == (first, end)
    assert found.resets == datetime.fromisoformat(resets)


def test_an_academic_year_may_begin_on_another_day():
    found = span("academic-year", datetime(2026, 3, 1, tzinfo=UTC), PARIS, "08-15")
    assert (found.first, found.end) == (date(2025, 8, 15), date(2026, 8, 15))


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-02-28", 24), ("2028-02-29", 24)]
)
def test_a_day_is_as_long_as_clocks_make_it(day, hours):
    day = date.fromisoformat(day)
    begin, end = (int(day_start(each, PARIS).timestamp()) for each in (day, day + DAY))
    assert list(split_by_day(begin, end, PARIS)) == [(day, hours * 3600)]


@given(begin=moments, length=st.integers(0, 400 * 86400), cut=st.floats(0, 1), zone=st.sampled_from(ZONES))
@settings(max_examples=150, deadline=None)
def test_splitting_by_day_loses_nothing_and_does_not_depend_on_where_it_was_interrupted(begin, length, cut, zone):
    zone = ZoneInfo(zone)
    middle = begin + int(length * cut)

    def days(first, last):
        sums = {}
        for day, seconds in split_by_day(first, last, zone):
            assert seconds > 0
            sums[day] = sums.get(day, 0) + seconds
        return sums

    whole = days(begin, begin + length)
    assert sum(whole.values()) == length
    assert list(whole) == sorted(whole)
    parts = days(begin, middle)
    for day, seconds in days(middle, begin + length).items():
        parts[day] = parts.get(day, 0) + seconds
    assert parts == whole
    for day, seconds in list(whole.items())[1:-1]:
        assert seconds == int(day_start(day + DAY, zone).timestamp()) - int(day_start(day, zone).timestamp())


@given(
    now=moments,
    zone=st.sampled_from(ZONES),
    window=st.sampled_from(["month", "academic-year", timedelta(days=30)]),
)
@settings(max_examples=150, deadline=None)
def test_a_window_holds_today_and_its_reset_is_the_first_moment_of_another_one(now, zone, window):
    zone, now = ZoneInfo(zone), datetime.fromtimestamp(now, UTC)
    found = span(window, now, zone)
    assert found.first <= local_day(now, zone) < found.end
    assert now < found.resets
    assert span(window, found.resets - timedelta(seconds=1), zone).first == found.first
    assert span(window, found.resets, zone).first > found.first


@given(first=st.dates(date(2023, 1, 1), date(2029, 1, 1)), length=st.integers(0, 800))
@settings(max_examples=300, deadline=None)
def test_a_run_of_days_is_its_whole_months_and_the_days_beside_them_each_once(first, length):
    end = first + length * DAY
    months, beside = months_and_days(first, end)
    days = [begin + number * DAY for begin, until in beside for number in range((until - begin).days)]
    if months:
        month, until = months
        assert month < until
        while month < until:
            days += [month + number * DAY for number in range((next_month(month) - month).days)]
            month = next_month(month)
    assert sorted(days) == [first + number * DAY for number in range(length)]
    assert len([run for run in beside if run[0] < run[1]]) == len(beside) <= 2
    assert sum((until - begin).days for begin, until in beside) < 62

"""What time costs: the tariff's rules in a table, and that sums are exact in any order."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupytercloud_hub.contracts.server_record import Resources
from jupytercloud_hub.quotas.pricing import Usage, by_day, counts_on, from_hours, rate, tariff_on, to_hours
from jupytercloud_hub.quotas.windows import day_start
from jupytercloud_hub.settings.quotas import Limit, Tariff

PARIS = ZoneInfo("Europe/Paris")
GIB = 1024**3
MAX = Tariff(cpu=1, memory=0.25, gpu={"*": 10, "a100": 40})
SUM = Tariff(rule="sum", cpu=1, memory=0.25, gpu=10)


@pytest.mark.parametrize(
    ("number", "tariff", "cpu", "gib", "gpu", "gpu_type", "units_per_hour"),
    [
        (1, MAX, 2, 4, 0, None, 2),
        (2, MAX, 1, 16, 0, None, 4),
        (3, MAX, 4, 16, 0, None, 4),
        (4, SUM, 4, 16, 0, None, 8),
        (5, MAX, 4, 16, 1, "a100", 44),
        (6, MAX, 4, 16, 2, "t4", 24),
        (7, MAX, 4, 16, 1, None, 14),
        (8, MAX, 0.1, 0.2, 0, None, 0.1),
        (9, MAX, 0, 0, 0, None, 0),
        (10, Tariff(cpu=0.3, memory=0), 0.1, 1, 0, None, 0.03),
        (11, Tariff(cpu=0, memory=0.0005), 1, 1, 0, None, 0.0005),
    ],
)
def test_an_hour_costs(number, tariff, cpu, gib, gpu, gpu_type, units_per_hour):
    resources = Resources(cpu=cpu, memory=int(gib * GIB), gpu=gpu, gpu_type=gpu_type)
    assert rate(resources, tariff) == pytest.approx(units_per_hour * 1_000_000, abs=1)


def test_a_tariff_counts_from_its_day_on_and_the_first_one_before():
    old, new = Tariff(valid_from=date(2026, 1, 1)), Tariff(valid_from=date(2026, 9, 1), cpu=2)
    chosen = [
        tariff_on(day, [old, new]) for day in (date(2025, 5, 1), date(2026, 8, 31), date(2026, 9, 1), date(2027, 1, 1))
    ]
    assert chosen == [old, old, new, new]


def test_a_server_that_runs_over_a_change_of_price_pays_each_day_at_its_own():
    tariffs = [Tariff(cpu=1, memory=0), Tariff(valid_from=date(2026, 9, 1), cpu=3, memory=0)]
    midnight = int(day_start(date(2026, 9, 1), PARIS).timestamp())
    resources = Resources(cpu=2, memory=GIB)
    found = dict(by_day(resources, midnight - 3600, midnight + 3600, tariffs, PARIS))
    assert {day.isoformat(): usage.measured("units") for day, usage in found.items()} == {
        "2026-08-31": 2,
        "2026-09-01": 6,
    }


def test_raw_hours_do_not_depend_on_the_tariff():
    resources = Resources(cpu=2, memory=3 * GIB, gpu=1)
    [(_, usage)] = by_day(resources, 0, 5400, [Tariff(cpu=0, memory=0, gpu=0)], PARIS)
    measured = [usage.measured(measure) for measure in ("units", "cpu_hours", "memory_hours", "gpu_hours")]
    assert measured == [0, 3, 4.5, 1.5]
    assert usage.seconds == 5400


@pytest.mark.parametrize(
    ("number", "limit", "gpu", "gpu_type", "counts"),
    [
        (1, Limit(units=1), 0, None, True),
        (2, Limit(gpu_hours=1), 0, None, False),
        (3, Limit(gpu_hours=1), 1, "a100", True),
        (4, Limit(gpu_hours=1, gpu_type="a100"), 1, "a100", True),
        (5, Limit(gpu_hours=1, gpu_type="a100"), 1, "t4", False),
        (6, Limit(gpu_hours=1, gpu_type="a100"), 1, None, False),
    ],
)
def test_a_limit_counts_what_it_names(number, limit, gpu, gpu_type, counts):
    assert counts_on(Resources(cpu=1, memory=GIB, gpu=gpu, gpu_type=gpu_type), limit) is counts


@given(
    amount=st.integers(0, 10**12),
    measure=st.sampled_from(["units", "cpu_hours", "memory_hours", "gpu_hours"]),
)
def test_what_is_shown_reads_back_as_the_same_number(amount, measure):
    assert from_hours(measure, to_hours(measure, amount)) == amount


resources_of_any_kind = st.builds(
    lambda cpu, mib, gpu: Resources(cpu=cpu / 100, memory=mib * 1024**2, gpu=gpu, gpu_type="a100" if gpu else None),
    st.integers(0, 12_800),
    st.integers(0, 2_000_000),
    st.integers(0, 16),
)
tariff_lists = st.lists(
    st.builds(
        lambda rule, cpu, memory, gpu: (rule, cpu, memory, gpu),
        st.sampled_from(["max", "sum"]),
        st.floats(0, 1000),
        st.floats(0, 1000),
        st.floats(0, 1000),
    ),
    min_size=1,
    max_size=4,
)


@given(
    resources=resources_of_any_kind,
    rows=tariff_lists,
    begin=st.datetimes(datetime(2023, 12, 1), datetime(2029, 1, 1)),
    length=st.integers(0, 200 * 86400),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_heartbeats_at_any_moments_count_the_same_as_one_look_at_the_end(resources, rows, begin, length, cuts):
    # a change of price in the middle of it, over leap days and changes of clocks
    tariffs = [
        Tariff(
            valid_from=begin.date() + timedelta(days=index * 17) if index else None,
            rule=rule,
            cpu=cpu,
            memory=memory,
            gpu=gpu,
        )
        for index, (rule, cpu, memory, gpu) in enumerate(rows)
    ]
    begin_s = int(begin.replace(tzinfo=UTC).timestamp())
    edges = [begin_s, *sorted(begin_s + int(cut * length) for cut in cuts), begin_s + length]
    whole = dict(by_day(resources, begin_s, begin_s + length, tariffs, PARIS))
    summed: dict[date, Usage] = {}
    for first, last in pairwise(edges):
        for day, usage in by_day(resources, first, last, tariffs, PARIS):
            summed[day] = summed.get(day, Usage()) + usage
    assert summed == whole
    assert sum(usage.seconds for usage in whole.values()) == length
    assert all(min(usage.cost, usage.cpu, usage.memory, usage.gpu) >= 0 for usage in whole.values())

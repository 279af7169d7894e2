"""The arithmetic from one person's costs to hubs."""

from __future__ import annotations

import pytest

from .model import Cost, Crowd, need

HUB = Cost(arrival=0.05, back=0.01, running=0.0001, empty=0.01, memory=150.0, memory_each=0.2)


@pytest.mark.parametrize(
    ("registered", "at_once", "arrivals", "processes"),
    [
        (700, 100, 1 / 3, 1),
        (7_000, 1_000, 10 / 3, 1),  # 0.167 + 0.003 + 0.1 = 0.27
        (21_400, 3_057, 10.19, 2),  # 0.510 + 0.008 + 0.306 = 0.82
        (70_000, 10_000, 33.33, 5),  # 1.667 + 0.028 + 1.0 = 2.69
    ],
)
def test_a_crowd_needs_as_many_hubs_as_its_work_fills(
    registered: int, at_once: int, arrivals: float, processes: int
) -> None:
    crowd = Crowd.of(registered, 1 / 7, 300, 3600)
    assert crowd.simultaneous == at_once
    assert crowd.arrivals == pytest.approx(arrivals, rel=0.001)
    assert need(HUB, crowd, 0.6).processes == processes


def test_more_hubs_share_the_servers_and_their_memory() -> None:
    crowd = Crowd.of(21_400, 1 / 7, 300, 3600)
    assert need(HUB, crowd, 0.6).memory_each == pytest.approx(150 + 0.2 * 3_057 / 2)


def test_the_most_arrivals_fill_one_core() -> None:
    assert HUB.most_arrivals() * HUB.arrival + HUB.empty == pytest.approx(1)
    assert HUB.most_arrivals(0.6) * HUB.arrival + HUB.empty == pytest.approx(0.6)


def test_who_is_not_there_costs_nothing() -> None:
    assert need(HUB, Crowd.of(0, 1 / 7, 300, 3600), 0.6).work == 0

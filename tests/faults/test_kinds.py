"""The kinds of faults, which of them meet, and how a page is judged; ``python -m tests.faults`` lets them strike."""

from __future__ import annotations

import random

import httpx
import pytest

from jupytercloud_hub.demo.plan import SITES

from .batches import CORE, PILES, batches, sites_of
from .kinds import KINDS
from .people import BARE, judge


def test_there_are_at_least_25_kinds_and_each_strikes_once_for_each_seed() -> None:
    assert len(KINDS) >= 25
    for seed in (1, 2):
        assert sorted(fault.name for batch in batches(seed) for fault in batch) == sorted(KINDS)
    assert batches(1) != batches(2)


def test_the_core_has_at_least_25_kinds_of_all_places_in_six_rounds() -> None:
    assert set(KINDS) >= CORE
    assert len(CORE) >= 25
    core = [kind for name, kind in KINDS.items() if name in CORE]
    assert {kind.place for kind in core} == {kind.place for kind in KINDS.values()}
    assert {len(batches(seed, core)) for seed in range(1, 21)} == {6}


def test_faults_of_a_batch_strike_at_different_places() -> None:
    for batch in batches(1):
        struck = list(zip(batch, sites_of(batch, random.Random(1)), strict=True))
        at_sites = [site for fault, site in struck if fault.place in ("site", *SITES)]
        assert len(set(at_sites)) == len(at_sites)
        for places in PILES:
            assert sum(fault.place in places for fault in batch) <= 1


@pytest.mark.parametrize(
    ("status", "body", "honest"),
    [
        (200, "<html><body>\n<h1>Un carnet</h1> de travail</body></html>", True),
        (503, "<title>503</title><h1>Le site est absent</h1> Revenez dans une minute.", True),
        (503, BARE[0], True),
        (503, "", False),
        (200, "<html><script>everything()</script></html>", False),
        (500, "<title>500</title><h1>No</h1> Traceback (most recent call last)", False),
        (503, "upstream connect error or disconnect before headers", False),
    ],
)
def test_a_page_is_judged(status: int, body: str, honest: bool) -> None:
    answer = httpx.Response(status, text=body, request=httpx.Request("GET", "http://127.0.0.1/"))
    assert (judge(answer) == "") is honest

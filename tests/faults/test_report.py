"""The file that the docs include: what ran, what was not survived, and a table whose words stand in French too."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.pofile import read_po

from tests.support import ROOT

from .kinds import KINDS
from .report import HEADS, page, read, table
from .rounds import Result

FRENCH = ROOT / "docs/locale/fr/LC_MESSAGES/explanation/faults.po"
HUB, CLOCK = "a site's hub killed", "a site's clock is ahead"


def result(*faults: str, seed: int = 1, seconds: float = 10.0, wrong: tuple[str, ...] = ()) -> Result:
    return Result(faults, seed, list(wrong), seconds, served=4, honest=3, refused=1, bare=2)


def test_a_kind_has_its_rounds_its_median_and_its_sums() -> None:
    results = [result(HUB, CLOCK, seconds=10), result(HUB, seed=2, seconds=40, wrong=("somebody was let in",))]
    assert table(results).splitlines()[2:] == [f"| {HUB} | 1/2 | 25.0 | 8 | 6 | 4 | 2 |", f"| {CLOCK} | 1/1 | 10.0 | 4 | 3 | 2 | 1 |"]  # fmt: skip # noqa: E501


def test_above_the_table_stands_what_ran_and_each_round_that_was_not_survived(tmp_path: Path) -> None:
    kept = tmp_path / "results.jsonl"
    rounds = [result(HUB, CLOCK), result(HUB, seed=2, wrong=("somebody was let in",))]
    kept.write_text("".join(json.dumps(asdict(one)) + "\n" for one in rounds))
    told = page(read(kept), 2, datetime(2026, 11, 29, tzinfo=UTC), "0.5 to 3")
    for words in ("2026-11-29", "load 0.5 to 3", f"2 of {len(KINDS)} kinds, 2 seeds from 1 on", "2 rounds, 1 survived"):
        assert words in told
    assert f"not survived, seed 2: {HUB}\n    somebody was let in" in told


def test_every_word_of_the_table_stands_in_french() -> None:
    with FRENCH.open("rb") as stream:
        known = {str(one.id) for one in read_po(stream) if one.string}
    assert not {*HEADS, *KINDS} - known

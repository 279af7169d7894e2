"""The load report of the docs shows what its JSON says, and nothing that was typed by hand."""

from __future__ import annotations

import json

from . import report
from .page import FOLDER


def test_the_tables_are_those_of_the_figures() -> None:
    told = json.loads((FOLDER / "load.json").read_text())
    assert (FOLDER / "figures.txt").read_text() == report.table(told) + "\n"


def test_a_run_in_which_somebody_was_not_served_fails() -> None:
    told = json.loads((FOLDER / "load.json").read_text())
    everybody = dict.fromkeys(told["running"], told["sizes"]["people"])
    well = {**told, "failed": dict.fromkeys(everybody, 0), "running": everybody, "restarted": []}
    assert report.broken(well) == 0
    assert report.broken({**well, "failed": {**well["failed"], "ours": 1}}) == 1
    assert report.broken({**well, "running": {**everybody, "stock": everybody["stock"] - 1}}) == 1
    assert report.broken({**well, "restarted": ["portal ended by itself"]}) == 1

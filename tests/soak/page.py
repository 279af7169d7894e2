"""Writes what the load report of the docs shows: tables, picture, JSON. The words around them are docs/explanation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.support import ROOT

FOLDER = ROOT / "docs" / "explanation" / "load"
LABELS = {
    "en": ("people who arrive a second", "95th percentile, seconds"),
    "fr": ("personnes qui arrivent par seconde", "95e centile, en secondes"),
}
LINES = {
    "stock": (
        "-",
        "o",
        {"en": "stock JupyterHub: login and start", "fr": "JupyterHub ordinaire : connexion, démarrage"},
    ),
    "site": ("--", "s", {"en": "our site: login and start", "fr": "notre site : connexion et démarrage"}),
    "portal": (":", "^", {"en": "our portal: login and way", "fr": "notre portail : connexion et aiguillage"}),
}
"""Line, mark and name: told apart without colours."""


def write(told: dict[str, Any], tables: str) -> list[Path]:
    """Write the report's files; returns them."""
    FOLDER.mkdir(exist_ok=True)
    figures, raw = FOLDER / "figures.txt", FOLDER / "load.json"
    figures.write_text(tables + "\n")
    lines = {log: {"lines": one["lines"]} for log, one in told["log_errors"].items()}  # not their words: paths of ours
    raw.write_text(json.dumps({**told, "log_errors": lines}, indent=1) + "\n")
    written = [figures, raw]
    if told.get("ceilings"):
        for language in LABELS:
            written.append(FOLDER / ("arrivals.svg" if language == "en" else f"arrivals.{language}.svg"))
            _picture(told["ceilings"], language, written[-1])
    return written


def _picture(ceilings: dict[str, Any], language: str, path: Path) -> None:
    with mpl.rc_context({"svg.hashsalt": "load", "svg.fonttype": "path"}):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.subplots()
        for hub, (line, mark, names) in LINES.items():
            rungs = sorted(ceilings[hub]["rungs"], key=lambda rung: rung["rate"])
            rates, waits = [rung["rate"] for rung in rungs], [rung["p95"] for rung in rungs]
            axes.plot(rates, waits, linestyle=line, marker=mark, label=names[language])
        axes.set_xlabel(LABELS[language][0])
        axes.set_ylabel(LABELS[language][1])
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(path, format="svg", metadata={"Date": None})

"""The table faults × survived, and the file that the docs include: what ran, then the table. Figures stand once.

python -m tests.faults.report results.jsonl --seeds 20 --load "0.5 to 3" > docs/explanation/faults/run.txt
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jupytercloud_hub import __version__

from .kinds import KINDS
from .rounds import Result

HEADS = ("fault", "survived", "seconds (median)", "served", "honest pages", "of them two words", "nobody there")


def table(results: Sequence[Result]) -> str:
    """Return the table as Markdown, in the order of the kinds; its words are translated, its figures are not."""
    struck = {name for result in results for name in result.faults}
    lines = [f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    for name in [*(kind for kind in KINDS if kind in struck), *sorted(struck - set(KINDS))]:
        mine = [result for result in results if name in result.faults]
        good = sum(not result.wrong for result in mine)
        middle = statistics.median(result.seconds for result in mine)
        sums = [sum(getattr(result, key) for result in mine) for key in ("served", "honest", "bare", "refused")]
        lines.append(f"| {name} | {good}/{len(mine)} | {middle:.1f} | {' | '.join(str(each) for each in sums)} |")
    return "\n".join(lines)


def head(results: Sequence[Result], seeds: int, ended: datetime, load: str) -> str:
    """Return what ran and where, and each round that was not survived with what did not hold."""
    lost = [result for result in results if result.wrong]
    struck = {name for result in results for name in result.faults}
    each = [sum(name in result.faults for result in results) for name in struck]
    lines = [
        f"{ended:%Y-%m-%d}  jupytercloud-hub {__version__}, Python {platform.python_version()}, {platform.system()}, "
        f"{os.cpu_count()} cores{f', load {load}' if load else ''}",
        f"{len(struck)} of {len(KINDS)} kinds, {seeds} seeds from {min(result.seed for result in results)} on; "
        f"each kind struck {min(each)} to {max(each)} times",
        f"{len(results)} rounds, {len(results) - len(lost)} survived, {sum(r.seconds for r in results) / 60:.0f} min",
    ]
    for result in lost:
        lines.append(f"not survived, seed {result.seed}: {' + '.join(result.faults)}")
        lines += [f"    {' '.join(line.split())[:200]}" for line in result.wrong]
    return "\n".join(lines)


def page(results: Sequence[Result], seeds: int, ended: datetime, load: str = "") -> str:
    """Return the file that both languages of the page include."""
    return f"```text\n{head(results, seeds, ended, load)}\n```\n\n{table(results)}\n"


def read(file: Path) -> list[Result]:
    """Return the results that ``--keep`` kept."""
    return [Result(**json.loads(line)) for line in file.read_text().splitlines()]


def main() -> None:
    """Print the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="what --keep wrote")
    parser.add_argument("--seeds", type=int, help="how many seeds were asked for; those in the file by default")
    parser.add_argument("--load", default="", help="load of the machine meanwhile, such as '0.5 to 3'")
    chosen = parser.parse_args()
    results = read(chosen.results)
    seeds = chosen.seeds or len({result.seed for result in results})
    ended = datetime.fromtimestamp(chosen.results.stat().st_mtime, UTC)
    print(page(results, seeds, ended, chosen.load), end="")


if __name__ == "__main__":
    main()

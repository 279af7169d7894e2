"""Soak form: each kind of fault by itself, with so many seeds; prints faults × survived.

python -m tests.faults --seeds 20
python -m tests.faults --seeds 3 --only "clock" --first 7
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from .batches import CORE, batches
from .kinds import KINDS, Fault
from .report import table
from .rounds import Result, Rounds
from .topology import running


def tell(result: Result) -> None:
    """Print one round's line, and below it what did not hold."""
    line = f"{result.seed:3} {' + '.join(result.faults)}: {result.seconds:.1f} s"
    print(line, *result.wrong, sep="\n      ! ", flush=True)


def rounds_of(seed: int, only: str, together: bool, core: bool) -> list[list[Fault]]:
    """Return what strikes with a seed: each kind by itself, or one of each place at once."""
    kinds = [kind for name, kind in KINDS.items() if only in name and (name in CORE or not core)]
    return batches(seed, kinds) if together else [[kind] for kind in kinds]


async def soak(chosen: argparse.Namespace) -> list[Result]:
    """Run every kind with every seed, as the command line says; what is kept already is not run again.

    With ``again`` a round in which something did not hold runs a second time, and the second time counts.
    """
    kept: Path | None = chosen.keep
    deadline = time.monotonic() + chosen.minutes * 60
    before = [Result(**json.loads(line)) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    done = {(tuple(result.faults), result.seed) for result in before}
    with tempfile.TemporaryDirectory(prefix="jcf-") as folder:
        async with running(Path(folder) / "state") as world:
            rounds = Rounds(world)
            for seed in range(chosen.first, chosen.first + chosen.seeds):
                for kinds in rounds_of(seed, chosen.only, chosen.together, chosen.core):
                    names = tuple(kind.name for kind in kinds)
                    if time.monotonic() > deadline:
                        print("the time is over", file=sys.stderr)
                        return before + rounds.results
                    if (names, seed) in done:
                        continue
                    result = await rounds.run(kinds, seed)
                    tell(result)
                    if result.wrong and chosen.again:
                        print("*** FAILED ONCE: the same once more", flush=True)
                        rounds.results.remove(result)
                        tell(result := await rounds.run(kinds, seed))
                    if kept:
                        with kept.open("a") as file:
                            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
            return before + rounds.results


def main() -> int:
    """Print the table; exit code 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--only", default="", help="kinds with these words in their name")
    parser.add_argument("--minutes", type=float, default=24 * 60, help="begin no round after so many")
    parser.add_argument("--keep", type=Path, help="file of results, one line each; a second run goes on where it ended")
    parser.add_argument("--together", action="store_true", help="strike at the portal, a site and a line at once")
    parser.add_argument("--core", action="store_true", help="only one or more of each sort, those that are quick")
    parser.add_argument("--again", action="store_true", help="let a round that failed run a second time, which counts")
    chosen = parser.parse_args()
    began = time.monotonic()
    results = asyncio.run(soak(chosen))
    struck = len({name for result in results for name in result.faults} & set(KINDS))
    took = f"{(time.monotonic() - began) / 60:.1f} min"
    print(f"\n{len(results)} rounds, {struck} of {len(KINDS)} kinds, {took}, Python {platform.python_version()}\n")
    print(table(results))
    return int(any(result.wrong for result in results))


if __name__ == "__main__":
    raise SystemExit(main())

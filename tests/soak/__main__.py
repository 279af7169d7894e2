"""A thousand people at once over portal and two sites, beside stock JupyterHub in the same run.

python -m tests.soak                  a day of 1,000 people, each hub's ceiling, the report in docs/explanation/load
python -m tests.soak --quick          24 people and no ceilings, as CI runs it; writes no report
python -m tests.soak --from load.json --report     the tables once more, from the figures of a run
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from . import page, profile, report
from .ceilings import TARGETS, Climb, climb
from .day import Sizes, live
from .topology import running

QUICK = Sizes(people=24, wave=12, arrivals=3.0, returns=10.0, cells=5, rest=5.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    for kind, prefix in ((Sizes, ""), (Climb, "climb-")):
        for field in dataclasses.fields(kind):
            parser.add_argument(f"--{prefix}{field.name}", type=type(field.default))
    parser.add_argument("--no-ceilings", action="store_true", help="Only the day.")
    parser.add_argument("--report", action="store_true", help="Write what docs/explanation/load.md shows.")
    parser.add_argument("--from", dest="source", type=Path, help="Read figures instead of measuring them.")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="Record hubs and services there with py-spy.")
    parser.add_argument("--json", type=Path, help="Write the figures there.")
    options = parser.parse_args()
    if options.source:
        told = json.loads(options.source.read_text())
    else:
        state = Path(tempfile.mkdtemp(prefix="jupytercloud-soak-"))
        sizes = _given(QUICK if options.quick else Sizes(), options, "")
        how = None if options.quick or options.no_ceilings else _given(Climb(), options, "climb_")
        try:
            told = asyncio.run(measure(state, sizes, how, options))
        finally:
            shutil.rmtree(state, ignore_errors=True)
    tables = report.table(told)
    print(tables)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    if options.profile:
        print(f"\n{profile.summary(options.profile)}")
    if options.report:
        print(*page.write(told, tables), sep="\n")
    return report.broken(told)


def _given(default: Any, options: argparse.Namespace, prefix: str) -> Any:
    told = {field.name: getattr(options, prefix + field.name) for field in dataclasses.fields(default)}
    return dataclasses.replace(default, **{name: value for name, value in told.items() if value is not None})


async def measure(state: Path, sizes: Sizes, how: Climb | None, options: argparse.Namespace) -> dict[str, Any]:
    """Run both sides; what the day measured is kept before the ceilings are tried."""
    began = time.monotonic()

    def tell(words: str) -> None:
        at = f"{time.monotonic() - began:6.1f} s, load {os.getloadavg()[0]:.1f}"
        print(f"[{at}] {words}", file=sys.stderr, flush=True)

    async with running(state, sizes.accounts) as world:
        tell("everything is up")
        recorded = profile.recording(world.named(), options.profile) if options.profile else nullcontext()
        async with recorded:
            day = await live(world, sizes, tell)
        told = report.figures(sizes, day, world)
        if options.json:
            options.json.write_text(json.dumps(told, indent=1) + "\n")
        if how:
            found = [await climb(world, hub, how, sizes.seed, tell) for hub in TARGETS]
            told["climb"] = vars(how)
            told["ceilings"] = {
                one.hub: {"rate": one.rate, "rungs": [vars(rung) for rung in one.rungs]} for one in found
            }
            told["log_errors"], told["restarted"] = world.troubles(), world.ended
        return told


if __name__ == "__main__":
    raise SystemExit(main())

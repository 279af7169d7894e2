"""Faults at the portal, at a site and on the lines at once, while people work: ``pytest tests/faults/whole.py``.

It takes minutes, so that it is collected by its name only. Each kind strikes once for each seed;
``JUPYTERCLOUD_FAULTS_SEEDS=3`` does so with three. ``python -m tests.faults`` is the long form, with a table.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from .batches import batches
from .rounds import Result, Rounds
from .topology import World, running

SEEDS = int(os.environ.get("JUPYTERCLOUD_FAULTS_SEEDS", "1"))
CHECK_SECONDS = 10.0


async def check(world: World, hub: str) -> list[str]:
    """Return what ``jupytercloud check`` finds at a hub that is well, and whether it took too long."""
    began = time.monotonic()
    command = [sys.executable, "-m", "jupytercloud_hub", "check", "--json", "--config", str(world.settings(hub))]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "LC_ALL": "en_GB.UTF-8"}, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    found = [one for one in json.loads(said)["findings"] if one["status"] in ("error", "skipped")]
    wrong = [f"{hub}: {one['what']}" for one in found]
    if (took := time.monotonic() - began) > CHECK_SECONDS + STARTING:
        wrong.append(f"{hub}: check took {took:.1f} s")
    return wrong


STARTING = 20.0
"""Seconds that a busy machine may take until a Python process has its modules."""


async def _all(folder: Path) -> tuple[list[str], list[Result]]:
    async with running(folder / "state") as world:
        wrong = [line for hub in world.plan.hubs for line in await check(world, hub.name)]
        rounds = Rounds(world)
        for seed in range(1, SEEDS + 1):
            for batch in batches(seed):
                await rounds.run(batch, seed)
        return wrong, rounds.results


@pytest.mark.timeout(1500 * SEEDS)
def test_check_is_green_and_every_fault_is_survived(tmp_path: Path) -> None:
    unwell, results = asyncio.run(_all(tmp_path))
    assert unwell == []
    told = [f"{' + '.join(one.faults)} (seed {one.seed}):\n  " + "\n  ".join(one.wrong) for one in results if one.wrong]
    assert not told, "\n".join(told)
    assert sum(one.served for one in results) >= 3 * len(results), "people were served in each round"

"""A scaled-down pair of the culler's bench: what must hold however busy the machine is (its times do not)."""

from __future__ import annotations

import pytest

from .culler import Sizes, bench, table

pytest.importorskip("jupyterhub_idle_culler", reason="the peer is not installed")


@pytest.mark.timeout(300)
async def test_beside_the_stock_culler_nobody_is_culled_wrongly_and_stops_run_side_by_side() -> None:
    sizes = Sizes(users=120, running=24, idle=16, stop_seconds=1.0, in_flight=8, come_back=3, quiet_runs=1)
    result = await bench(sizes)
    print(table(result))
    ours, theirs = result.cull["ours"], result.cull["theirs"]
    assert (ours["stale"], ours["skipped"], ours["list_requests"]) == (0, 0, 1)
    assert (ours["most_in_flight"], theirs["most_in_flight"]) == (sizes.in_flight, 1)
    assert theirs["stale"] > 0  # the bench sees a stale cull where there is one

"""One pass of one culler in a process of its own; prints what it took as JSON.

``python -m tests.bench.culler_worker ours|theirs API_URL TOKEN IDLE_SECONDS IN_FLIGHT FOLDER``
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

Once = Callable[[], Awaitable[object]]


async def ours(url: str, token: str, idle: float, in_flight: int, folder: Path) -> tuple[Once, Once]:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from prometheus_client import CollectorRegistry

    from jupytercloud_hub.culling.metrics import Metrics
    from jupytercloud_hub.culling.passes import Culler
    from jupytercloud_hub.culling.store import Store
    from jupytercloud_hub.hubapi.client import HubApi
    from jupytercloud_hub.settings.culling import CullingSettings
    from jupytercloud_hub.storage.plain import PlainDatabase

    rules = [{"name": "bench", "idle": f"{idle} s", "warn": "0 s"}]
    settings = CullingSettings.model_validate({"rules": rules, "concurrency": in_flight})
    database = PlainDatabase(f"sqlite:///{folder / 'culling.sqlite'}", "culling")
    await database.upgrade()
    api = HubApi(url, token, concurrency=in_flight + 4, timeout=30)
    culler = Culler(
        settings,
        ZoneInfo("Europe/Paris"),
        api,
        Store(database),
        Metrics(CollectorRegistry()),
        lambda: datetime.now(UTC),
    )

    async def close() -> None:
        await api.close()
        await database.close()

    return culler.run, close


async def theirs(url: str, token: str, idle: float, in_flight: int, folder: Path) -> tuple[Once, Once]:
    from jupyterhub_idle_culler import cull_idle

    logger = logging.getLogger("theirs")

    async def close() -> None:
        """Nothing is open."""

    async def run() -> None:
        await cull_idle(url, token, idle, logger, concurrency=in_flight)

    return run, close


def status_mib(name: str) -> float:
    """Return a figure of proc(5)'s status: VmRSS is resident now, VmHWM the most that ever was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


async def main() -> None:
    which, url, token, idle, in_flight, folder = sys.argv[1:7]
    maker = {"ours": ours, "theirs": theirs}[which]
    run, close = await maker(url, token, float(idle), int(in_flight), Path(folder))
    loaded = status_mib("VmRSS")
    began, cpu = time.monotonic(), time.process_time()
    await run()
    took = {"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
    await close()
    peak = status_mib("VmHWM")  # getrusage would give the peak of whoever started this process
    memory = {"peak_mib": peak, "grown_mib": max(0.0, peak - loaded)}
    print(json.dumps({**took, **memory, "cpu_with_start_s": time.process_time()}))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main())

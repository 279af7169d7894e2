"""Our culler beside jupyterhub-idle-culler on one hub, in one run.

``python -m tests.bench.culler`` prints a table and writes JSON: 2,000 users, 1,000 running servers, 500 of them
idle, stops of 1 s, 10 in flight. A few people come back while their servers are being culled: who was active
before the DELETE of her server reached the hub, and was stopped all the same, is a stale cull.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.culling.hub import until
from tests.support.ports import free_ports

from .culler_hub import CULLERS, LATER, PATIENCE_S, TOKEN, BenchHub, Sizes, compiled


@dataclass
class Cull:
    """What one culler did to the idle servers."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    grown_mib: float
    list_requests: int
    requests: int
    culled: int
    stale: int
    skipped: int
    most_in_flight: int


@dataclass
class Result:
    """Both cullers, on the idle servers and with nothing to cull."""

    sizes: dict[str, Any]
    machine: dict[str, str]
    cull: dict[str, dict[str, Any]] = field(default_factory=dict)
    quiet: dict[str, dict[str, Any]] = field(default_factory=dict)
    service: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The whole process as it is deployed, ours with its pages, API and database, after passes with nothing to cull."""


async def cull(hub: BenchHub, culler: str) -> Cull:
    """Let one culler at the idle servers while some of their owners come back."""
    await hub.start(hub.idle[culler])
    idle_seconds = 3.0
    await asyncio.sleep(idle_seconds + 0.5)
    began = time.time()
    pass_ = asyncio.create_task(hub.once(culler, idle_seconds))
    listed = asyncio.create_task(_when_listed(hub, began))
    await listed
    await asyncio.sleep(hub.sizes.come_back_after_s)
    returning = hub.idle[culler][-hub.sizes.come_back :]
    await hub.active(returning, LATER / 2)
    took = await pass_
    ended = await hub.running()
    events = hub.events(began)
    stops = {event["user"]: event["at"] for event in events if event["what"] == "stop"}
    flight = most = 0
    for event in events:
        flight += {"stop": 1, "stopped": -1}.get(event["what"], 0)
        most = max(most, flight)
    requests = [event for event in events if event["what"] == "request"]
    back = {_user(event): event["at"] for event in requests if event["path"].endswith("/activity")}
    deleted = {_user(event): event["arrived"] for event in requests if event["method"] == "DELETE"}
    own = [event for event in events if event["what"] == "request" and event["method"] != "POST"]
    last_stop = max(stops.values(), default=began)
    lists = [event for event in own if event["path"].startswith("/hub/api/users?") and event["at"] <= last_stop]
    return Cull(
        wall_s=took["wall_s"],
        cpu_s=took["cpu_s"],
        peak_mib=took["peak_mib"],
        grown_mib=took["grown_mib"],
        list_requests=len(lists),
        requests=len([event for event in own if event["at"] <= last_stop]),
        culled=len(stops),
        stale=sum(user in stops and deleted[user] > at for user, at in back.items()),
        skipped=len([user for user in hub.idle[culler] if user in ended and user not in back]),
        most_in_flight=most,
    )


def _user(event: dict[str, Any]) -> str:
    return str(event["path"].split("/")[4])


async def _when_listed(hub: BenchHub, began: float) -> None:
    async def first_stop() -> bool:
        return any(event["what"] == "stop" for event in hub.events(began))

    await until(first_stop, PATIENCE_S)


async def quiet(hub: BenchHub, result: Result) -> None:
    """Run both with nothing to cull, taking turns."""
    found: dict[str, list[dict[str, float]]] = {culler: [] for culler in CULLERS}
    requests: dict[str, int] = {}
    for turn in range(hub.sizes.quiet_runs):
        for culler in CULLERS if turn % 2 else reversed(CULLERS):
            began = time.time()
            found[culler].append(await hub.once(culler, 36_000))
            requests[culler] = len([e for e in hub.events(began) if e["what"] == "request"])
    for culler, runs in found.items():
        result.quiet[culler] = {
            **{key: statistics.median(run[key] for run in runs) for key in runs[0]},
            "requests": requests[culler],
        }


SETTINGS = """
site: {{name: bench, url: "http://127.0.0.1:{port}/", state: ./state}}
culling: {{every: "1 s", rules: [{{name: bench, idle: "10 h"}}]}}
"""


async def service(hub: BenchHub, culler: str) -> dict[str, float]:
    """Start a culler as a service beside the hub, and read what it holds once it has been through a pass."""
    (port,) = free_ports(1)
    settings = hub.folder / "jupytercloud.yaml"
    settings.write_text(SETTINGS.format(port=port))
    environ = {
        **compiled(),
        "JUPYTERHUB_API_URL": hub.api,
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERCLOUD_CULLER_URL": f"http://127.0.0.1:{port}",
        "JUPYTERCLOUD_CULLER_API_TOKEN": TOKEN,
    }
    ours = ("-m", "jupytercloud_hub", "serve", "culler", "--config", str(settings))
    theirs = ("-m", "jupyterhub_idle_culler", f"--url={hub.api}", "--timeout=36000", "--cull-every=1")
    began, pages = time.time(), -(-hub.sizes.running // (200 if culler == "ours" else 50))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *(ours if culler == "ours" else theirs)),
        env=environ,
        cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def two_passes() -> bool:
        assert process.returncode is None, culler
        found = [event for event in hub.events(began) if event["what"] == "request" and "/users?" in event["path"]]
        return len(found) >= 2 * pages

    try:
        await until(two_passes, PATIENCE_S)
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return {"peak_mib": next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))}
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def bench(sizes: Sizes) -> Result:
    """Run the whole of it."""
    machine = {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        **{name: version(name) for name in ("jupyterhub", "jupyterhub-idle-culler", "jupytercloud-hub")},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": f"{os.getloadavg()[1]:.1f} (mean of 5 minutes before; times on a busy machine say little)",
    }
    result = Result(vars(sizes), machine)
    with tempfile.TemporaryDirectory() as folder:
        async with BenchHub(Path(folder), sizes) as hub:
            for culler in CULLERS:
                result.cull[culler] = vars(await cull(hub, culler))
                print(culler, result.cull[culler], flush=True)
            running = await hub.running()
            await hub.start([user for user in hub.idle["ours"] if user not in running])
            await quiet(hub, result)
            for culler in CULLERS:
                result.service[culler] = await service(hub, culler)
    return result


def table(result: Result) -> str:
    """Return the result for people."""
    lines = [f"{result.machine} {result.sizes}", f"{'':28}{'ours':>12}{'theirs':>12}{'ratio':>8}"]
    for title, part in (("cull", result.cull), ("nothing to cull", result.quiet), ("whole service", result.service)):
        for key, own in part["ours"].items():
            other = part["theirs"][key]
            ratio = f"{own / other:8.3f}" if other else ""
            lines.append(f"{title + ': ' + key:28}{own:12.2f}{other:12.2f}{ratio}")
    return "\n".join(lines)


FULL = 500
"""From so many idle servers on, times are held to what is asked; below, start and end of a pass weigh more."""
LIMITS = {
    "wall": 0.13,
    "wall of a small run": 0.25,
    "cpu with nothing to cull": 1.2,
    "memory of a pass": 1.5,
    "memory of a small run's pass": 1.7,
    "memory of the service": 2.4,
    "memory of a small run's service": 2.8,
}
"""Ours to theirs, at most. Memory is the peak of a whole process: one that runs a pass, and the service with pages,
logins and API, which theirs has not. docs/howto/idle-servers.md has the figures piece by piece."""


def broken(result: Result) -> list[str]:
    """Return which promises the run did not keep."""
    ours, theirs = result.cull["ours"], result.cull["theirs"]
    full = result.sizes["idle"] >= FULL
    small = "" if full else "small run's "  # theirs holds less there, ours the same database and pages

    def ratio(part: dict[str, dict[str, Any]], key: str) -> float:
        return float(part["ours"][key] / part["theirs"][key])

    checks = {
        "stale culls": ours["stale"] == 0 < theirs["stale"],
        "skipped servers": ours["skipped"] == 0,
        "more in flight than asked": ours["most_in_flight"] <= result.sizes["in_flight"],
        "list requests": ours["list_requests"] <= 6,
        "wall": ratio(result.cull, "wall_s") <= LIMITS["wall" if full else "wall of a small run"],
        "cpu with nothing to cull": not full or ratio(result.quiet, "cpu_s") <= LIMITS["cpu with nothing to cull"],
        "memory of a pass": ratio(result.cull, "peak_mib") <= LIMITS[f"memory of a {small}pass"],
        "memory of the service": ratio(result.service, "peak_mib")
        <= LIMITS["memory of the service" if full else "memory of a small run's service"],
    }
    return [name for name, kept in checks.items() if not kept]


def main() -> int:
    """Read the sizes, run, print and write; 1 where a promise was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in vars(Sizes()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--output", type=Path, help="Write the figures there as JSON.")
    arguments = vars(parser.parse_args())
    output = arguments.pop("output")
    result = asyncio.run(bench(Sizes(**arguments)))
    print(table(result))
    if output:
        output.write_text(json.dumps(vars(result), indent=1) + "\n")
    failed = broken(result)
    if failed:
        print(f"not kept: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main())

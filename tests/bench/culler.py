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
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from tests.culling.hub import until
from tests.support.ports import free_ports

TOKEN = "bench-" + "b" * 26
CULLERS = ("ours", "theirs")
LATER = timedelta(minutes=50)  # the hub refuses activity more than an hour ahead


@dataclass
class Sizes:
    """How large the hub is."""

    users: int = 2000
    running: int = 1000
    idle: int = 500
    stop_seconds: float = 1.0
    in_flight: int = 10
    come_back: int = 20
    quiet_runs: int = 3

    @property
    def come_back_after_s(self) -> float:
        """When people come back: well before the turn of their servers, which are the last, also of a small hub."""
        return min(2.0, 0.2 * self.idle / self.in_flight * self.stop_seconds)


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


class BenchHub:
    """A real hub with servers that are no processes."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder, self.sizes = folder, sizes
        self.hub_port, public, servers = free_ports(3)
        self.api = f"http://127.0.0.1:{self.hub_port}/hub/api"
        self.log = folder / "events.jsonl"
        self._env = {
            **os.environ,
            "BENCH_LOG": str(self.log),
            "BENCH_FOLDER": str(folder),
            "BENCH_STOP_SECONDS": str(sizes.stop_seconds),
            "BENCH_HUB_PORT": str(self.hub_port),
            "BENCH_PUBLIC_PORT": str(public),
            "BENCH_SERVERS_PORT": str(servers),
            "BENCH_TOKEN": TOKEN,
        }
        self._servers = ThreadingHTTPServer(("127.0.0.1", servers), _Answer)
        threading.Thread(target=self._servers.serve_forever, daemon=True).start()
        self.client = httpx.AsyncClient(timeout=60, headers={"Authorization": f"Bearer {TOKEN}"})
        self.names = [f"user-{number:05}" for number in range(sizes.users)]
        self.busy = self.names[: sizes.running - sizes.idle]
        first = len(self.busy)
        # Each culler gets idle servers of its own: who came back to the first would not be idle for the second.
        self.idle = {
            culler: self.names[first + number * sizes.idle : first + (number + 1) * sizes.idle]
            for number, culler in enumerate(CULLERS)
        }

    async def __aenter__(self) -> BenchHub:
        try:
            await self._open()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _open(self) -> None:
        config = Path(__file__).with_name("culler_hub_config.py")
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(config)],
                cwd=self.folder,
                env=self._env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        async def up() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "hub.log").read_text()[-2000:])
            try:
                return (await self.client.get(f"{self.api}/")).status_code == 200
            except httpx.TransportError:
                return False

        await until(up, 60)
        for first in range(0, len(self.names), 500):
            body = {"usernames": self.names[first : first + 500]}
            (await self.client.post(f"{self.api}/users", json=body)).raise_for_status()
        await self.start(self.busy)
        await self.active(self.busy, LATER)

    async def __aexit__(self, *exception: object) -> None:
        await self.client.aclose()
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self._servers.shutdown()

    async def start(self, users: list[str]) -> None:
        """Start their servers and wait until all are ready."""
        slots = asyncio.Semaphore(20)

        async def one(user: str) -> None:
            async with slots:
                while True:
                    answer = await self.client.post(f"{self.api}/users/{user}/server")
                    if answer.status_code == 429:
                        await asyncio.sleep(0.5)
                        continue
                    assert answer.status_code in (201, 202), answer.text
                    return

        await asyncio.gather(*map(one, users))

        async def ready() -> bool:
            return len(set(users) - await self.running()) == 0

        await until(ready, 120)

    async def running(self) -> set[str]:
        """Return the owners of ready servers."""
        found: set[str] = set()
        offset: int | None = 0
        headers = {"Accept": "application/jupyterhub-pagination+json"}
        while offset is not None:
            params: dict[str, Any] = {"limit": 200, "offset": offset, "state": "active"}
            page = (await self.client.get(f"{self.api}/users", params=params, headers=headers)).json()
            for user in page["items"]:
                if user["servers"].get("", {}).get("ready"):
                    found.add(user["name"])
            following = page["_pagination"]["next"]
            offset = following["offset"] if following else None
        return found

    async def active(self, users: list[str], ahead: timedelta = timedelta(0)) -> None:
        """Report activity of their servers."""
        slots = asyncio.Semaphore(20)

        async def one(user: str) -> None:
            async with slots:
                at = datetime.now(UTC)
                body = {"servers": {"": {"last_activity": (at + ahead).isoformat()}}}
                answer = await self.client.post(f"{self.api}/users/{user}/activity", json=body)
                answer.raise_for_status()

        await asyncio.gather(*map(one, users))

    def events(self, since: float) -> list[dict[str, Any]]:
        """Return what the hub noted since then."""
        lines = self.log.read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["at"] >= since]

    async def once(self, culler: str, idle_seconds: float) -> dict[str, float]:
        """Run one pass of one culler in a process of its own."""
        arguments = (culler, self.api, TOKEN, str(idle_seconds), str(self.sizes.in_flight), str(self.folder))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.culler_worker", *arguments),
            cwd=Path(__file__).parents[2],
            env=compiled(),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, culler
        return dict(json.loads(out))


def compiled() -> dict[str, str]:
    """Return an environment in which Python keeps what it compiled, as an installed package has it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


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

    await until(first_stop, 60)


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
        await until(two_passes, 120)
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
    "growth by a pass": 1.5,
    "memory of a pass": 1.5,
    "memory of a small run's pass": 1.7,
    "memory of the service": 2.7,
    "memory of a small run's service": 3.3,
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
        "growth by a pass": not full or ratio(result.cull, "grown_mib") <= LIMITS["growth by a pass"],
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

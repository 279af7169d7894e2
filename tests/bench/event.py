"""A fair's opening: visitors with codes on warm seats, beside tmpauthenticator and cold spawns, in one run.

    python -m tests.bench.event [--visitors 200] [--seconds 30] [--rounds 2] [--json FILE]
    python -m tests.bench.event --engine       servers are services of the tests' Swarm, not processes
    python -m tests.bench.event --quick        20 visitors, as CI runs it

Both hubs see the same visitors at the same moments with the same light server, in turns: each has the machine for
itself, and what it started is gone before the other's turn. A visitor is a browser without JavaScript: she follows
redirects, waits as long as a page's Refresh says (a second where it says nothing), and has arrived when a page of her
server answers. Time counts from her first request.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import psutil

from jupytercloud_hub.events.report import percentile
from tests.support.event_hub import EventHub, event
from tests.support.hub_process import HubProcess

SEED = 8
PATIENCE = 120.0
"""Seconds after which a visitor has given up."""
WANTED_P95 = 2.0
LIGHT = "local/light:test"
LOCAL = [sys.executable, "-S", "-E", str(Path(__file__).with_name("event_server.py"))]
STOCK = """
c.JupyterHub.authenticator_class = "tmp"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = {spawner}
c.JupyterHub.concurrent_spawn_limit = 100
c.Spawner.http_timeout = c.Spawner.start_timeout = 120
c.JupyterHub.log_level = "WARN"
{more}
"""
STOCK_SWARM = """
c.SwarmSpawner.network_name = "{network}"
c.SwarmSpawner.image, c.SwarmSpawner.cmd = "{image}", ["/bin/light-server"]
c.SwarmSpawner.prefix = "bench-stock"
c.SwarmSpawner.extra_endpoint_spec = {{"mode": "dnsrr"}}
c.SwarmSpawner.use_internal_ip = True
c.SwarmSpawner.remove = True
"""


class StockHub(HubProcess):
    """A hub with tmpauthenticator, as its documentation says."""

    def __init__(self, folder: Path, network: str | None) -> None:
        if network:
            spawner, more = '"dockerspawner.SwarmSpawner"', STOCK_SWARM.format(network=network, image=LIGHT)
        else:
            spawner, more = '"jupyterhub.spawner.SimpleLocalProcessSpawner"', f"c.Spawner.cmd = {LOCAL!r}"
        super().__init__(folder, "", after=STOCK.format(spawner=spawner, more=more), path="/stock/")
        config = folder / "jupyterhub_config.py"
        config.write_text(re.sub(r"from jupytercloud_hub.*\nconfigure\(.*", "", config.read_text()))


def our_hub(folder: Path, seats: int, network: str | None, warm: int | None = None) -> EventHub:
    """Return the hub that ``event create`` writes, not started. ``warm``: seats that stand ready, all by default."""
    if network:
        spawner = f"{{backend: swarm, swarm: {{network: {network}, home: {{type: volume}}}}}}"
        server = f"image: {LIGHT}\n    command: [/bin/light-server]"
    else:
        spawner, server = "{backend: local, local: {homes: homes}}", f"command: {json.dumps(LOCAL)}"
    (folder / "site.yaml").write_text(
        'site: {name: labo, url: "http://127.0.0.1:8000/labo/"}\n'
        f"spawner: {spawner}\n"
        "profiles:\n  - name: light\n    title: Light\n    default: true\n    resources: {memory: 8 MiB}\n"
        f"    {server}\n"
    )
    ready = str(seats if warm is None else warm)
    words = ("--seats", str(seats), "--warm", ready, "--profile", "light", "--site", str(folder / "site.yaml"))
    hub = EventHub.create(folder / "salon", *words)
    settings = hub.settings.read_text().replace("event:\n", "event:\n  starts_at_once: 16\n", 1)
    # As `event create` writes it: tests have a culler that looks each second.
    hub.settings.write_text(settings.replace("every: 1 s", "every: 15 s").replace("warn: 1 s", "warn: 10 min"))
    return hub


class Visitor:
    """One browser."""

    def __init__(self, hub: HubProcess, code: str | None) -> None:
        self.hub, self.code = hub, code
        self.saw: list[int] = []
        self.last = "no answer"
        self.client = httpx.AsyncClient(trust_env=False, timeout=60, follow_redirects=True)

    async def arrive(self) -> float:
        """Return the seconds until a page of her server answered. Raises `TimeoutError` where she gave up."""
        began = time.monotonic()
        async with self.client, asyncio.timeout(PATIENCE):
            page = await self._go("GET", f"{self.hub.url}hub/login" if self.code else self.hub.url)
            if self.code:
                found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
                form = {"code": self.code, "_xsrf": found[1] if found else ""}
                page = await self._go("POST", f"{self.hub.url}hub/login", form)
            while not ("/user/" in page.url.path and "/hub/" not in page.url.path and page.status_code == 200):
                refresh = re.match(r"(\d+); url=(.+)", page.headers.get("Refresh", ""))
                await asyncio.sleep(int(refresh[1]) if refresh else 1)
                page = await self._go("GET", urljoin(str(page.url), refresh[2]) if refresh else str(page.url))
            return time.monotonic() - began

    async def _go(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx.Response:
        page = await self.client.request(method, url, data=form)
        self.saw += [answer.status_code for answer in (*page.history, page)]
        self.last = f"{page.status_code} {page.url}"
        return page


def cpu(process: psutil.Process) -> float:
    """Return the CPU seconds of a hub's own process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def hub_cpu(hub: HubProcess) -> float:
    """Return the CPU seconds that a hub's own process took since its start."""
    assert hub.process
    return cpu(psutil.Process(hub.process.pid))


@dataclass
class Turn:
    """What one hub did in one turn."""

    times: list[float]
    visitors: int
    saw: list[int]
    cpu_seconds: float
    more: dict[str, float] = field(default_factory=dict)


async def measure(hub: HubProcess, codes: list[str | None], seconds: float) -> Turn:
    """Let visitors come at moments that are the same for each hub."""
    rng = random.Random(SEED)
    moments = sorted(rng.uniform(0, seconds) for _ in codes)
    visitors = [Visitor(hub, code) for code in codes]
    before = hub_cpu(hub)

    async def come(visitor: Visitor, moment: float) -> float | None:
        await asyncio.sleep(moment)
        try:
            return await visitor.arrive()
        except (TimeoutError, httpx.HTTPError) as error:
            print(f"a visitor gave up: {error!r}, last answer {visitor.last}", file=sys.stderr)
            return None

    found = await asyncio.gather(*(come(*pair) for pair in zip(visitors, moments, strict=True)))
    times = [value for value in found if value is not None]
    seen = [status for visitor in visitors for status in visitor.saw]
    return Turn(times, len(codes), seen, hub_cpu(hub) - before)


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def together(turns: list[Turn]) -> dict[str, Any]:
    """Return the figures of all of a hub's turns."""
    times = [value for turn in turns for value in turn.times]
    saw = [status for turn in turns for status in turn.saw]
    visitors = sum(turn.visitors for turn in turns)
    return {
        "p50_seconds": rounded(percentile(times, 0.5)),
        "p95_seconds": rounded(percentile(times, 0.95)),
        "longest_seconds": rounded(max(times, default=None)),
        "failures": visitors - len(times),
        "answers_429": saw.count(429),
        "answers_5xx": sum(status >= 500 for status in saw),
        "hub_cpu_ms_per_visitor": round(1000 * sum(turn.cpu_seconds for turn in turns) / visitors, 1),
        **{key: round(sum(turn.more[key] for turn in turns) / len(turns), 1) for key in turns[0].more},
    }


def our_turn(folder: Path, visitors: int, seconds: float, network: str | None) -> Turn:
    """Warm the seats, then open the doors."""
    hub = our_hub(folder, visitors, network)
    hub.start()
    try:
        hub.wait()
        before, began = hub_cpu(hub), time.monotonic()
        said = json.loads(
            event("warm", "--seats", str(visitors), "--wait", "900", "--json", "--config", str(hub.settings))
        )
        warming, warmed = hub_cpu(hub) - before, time.monotonic() - began
        turn = asyncio.run(measure(hub, [*hub.codes()], seconds))
    finally:
        hub.end()
    turn.more = {
        "seats_warm_before": said["ready"],
        "warming_seconds": warmed,
        "hub_cpu_ms_per_seat_before_the_doors": 1000 * warming / visitors,
    }
    return turn


def stock_turn(folder: Path, visitors: int, seconds: float, network: str | None) -> Turn:
    """Open the doors."""
    hub = StockHub(folder, network)
    hub.start()
    try:
        hub.wait()
        return asyncio.run(measure(hub, [None] * visitors, seconds))
    finally:
        hub.end()


def run(folder: Path, visitors: int, seconds: float, rounds: int, place: Place) -> dict[str, dict[str, Any]]:
    """Measure both hubs in turns."""
    turns: dict[str, list[Turn]] = {"ours": [], "stock": []}
    for number in range(rounds):
        for name, turn in (("ours", our_turn), ("stock", stock_turn)):
            own = folder / f"{name}{number}"
            own.mkdir()
            turns[name].append(turn(own, visitors, seconds, place.network))
            place.clear()
    return {name: together(found) for name, found in turns.items()}


@dataclass
class Place:
    """Where the servers are: processes here, or services in an overlay network."""

    network: str | None = None
    clear: Callable[[], None] = lambda: None
    """Takes away what a hub that ended left there."""


@contextlib.contextmanager
def place(engine: bool) -> Iterator[Place]:
    """Stand in an overlay network of the tests' Swarm; at home without ``engine``."""
    if not engine:
        yield Place()
        return
    from tests.support.engines import RUN, up
    from tests.support.engines_swarm import Swarm

    with up("swarm"):
        swarm = Swarm(f"unix://{RUN}/swarm/node1/engine/docker.sock", own=True)
        os.environ["DOCKER_HOST"] = swarm.host
        with swarm.network(subnet="10.91.0.0/20") as network, swarm.inside(network):  # a /24 is full at 253
            yield Place(network, lambda: swarm.empty(network))
        swarm.close()


def about() -> dict[str, Any]:
    """Return what was measured, and on what."""
    return {
        "versions": {name: version(name) for name in ("jupyterhub", "jupyterhub-tmpauthenticator", "dockerspawner")},
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engine", action="store_true", help="On the tests' Swarm.")
    parser.add_argument("--quick", action="store_true", help="20 visitors within 3 s, one round.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.visitors, options.seconds, options.rounds = 20, 3.0, 1
    with tempfile.TemporaryDirectory() as folder, place(options.engine) as where:
        found = run(Path(folder), options.visitors, options.seconds, options.rounds, where)
    figures: dict[str, Any] = {
        "visitors": options.visitors,
        "within_seconds": options.seconds,
        "rounds": options.rounds,
        "backend": "swarm" if options.engine else "local",
        **found,
        "wanted_p95_seconds": WANTED_P95,
        **about(),
    }
    print(f"{'':40}{'ours':>10}{'stock':>10}")
    for row in found["ours"]:
        print(f"{row:40}{found['ours'][row]!s:>10}{found['stock'].get(row, '')!s:>10}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    ours = found["ours"]
    good = not ours["failures"] and not ours["answers_429"] and (ours["p95_seconds"] or PATIENCE) <= WANTED_P95
    print(f"no failure, no 429, p95 at most {WANTED_P95} s: {'yes' if good else 'NO'}")
    return 0 if good or (options.quick and not ours["failures"] and not ours["answers_429"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Redirects of people with a home site beside a bare tornado 302 handler: CPU of the server for each redirect.

``python -m tests.bench.redirect_bench [--seconds 1] [--rounds 11] [--json FILE]``. Both servers take turns, each on one
core of its own, with 1, 16 and 64 connections kept open; the load comes from another core. What counts is the CPU time
of the server process, not the clock: the machine may be shared. What a server uses while nobody asks (ours probes sites
and reads its database) is measured beside it, printed, and not counted as part of a redirect.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

CONNECTIONS = (1, 16, 64)
IDLE_SECONDS = 6.0
JUDGED = 5
"""Rounds from which on the figures say enough to fail: a scaled-down run only shows them."""
AIM = 1.4
"""Most that a redirect may cost, as a multiple of the bare handler's; the bench fails where the median is above it."""


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


class Server:
    def __init__(self, kind: str, core: int, given: object = None) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.redirect_server", kind, self.folder.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout
        assert self.process.stdin
        self.process.stdin.write(json.dumps(given) + "\n")
        self.process.stdin.flush()
        self.told = json.loads(self.process.stdout.readline())
        self.port, self.cookie, self.path = (self.told.get(name) for name in ("port", "cookie", "path"))
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


async def visit(server: Server, until: float) -> tuple[int, int]:
    """Send requests over one connection; return how many were answered with 302, and how many were not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    link = f"{server.path}hub/user-redirect/lab/tree/premiers-pas.ipynb?reset&x=1%2F2&p=a%20b"
    request = (
        f"GET {link} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {server.cookie}\r\n"
        "User-Agent: bench\r\nAccept: text/html\r\nAccept-Language: fr\r\n\r\n"
    ).encode()
    good = bad = 0
    while time.monotonic() < until:
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer.startswith(b"HTTP/1.1 302 "):
            good += 1
        else:
            bad += 1
            length = [line for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
    writer.close()
    return good, bad


async def idle(server: Server, seconds: float) -> float:
    """Return the CPU seconds a second that a server uses while nobody asks."""
    before, begun = cpu_seconds(server.process.pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (cpu_seconds(server.process.pid) - before) / (time.monotonic() - begun)


async def round_of(server: Server, connections: int, seconds: float, resting: float = 0.0) -> dict[str, float]:
    before, begun = cpu_seconds(server.process.pid), time.monotonic()
    counts = await asyncio.gather(*(visit(server, begun + seconds) for _ in range(connections)))
    took, cpu = time.monotonic() - begun, cpu_seconds(server.process.pid) - before
    good, bad = (sum(part) for part in zip(*counts, strict=True))
    assert not bad, f"{bad} answers were not redirects"
    return {"redirects": good, "cpu_us": (cpu - resting * took) / good * 1e6, "per_second": good / took}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    sites = Server("sites", cores[-1])
    servers = {"bare": Server("bare", cores[0]), "ours": Server("ours", cores[0], sites.told)}
    results: dict[int, dict[str, list[dict[str, float]]]] = {}
    try:
        resting = {kind: asyncio.run(idle(server, IDLE_SECONDS)) for kind, server in servers.items()}
        for connections in CONNECTIONS:
            results[connections] = {kind: [] for kind in servers}
            for _ in range(options.rounds):
                for kind, server in servers.items():
                    results[connections][kind].append(
                        asyncio.run(round_of(server, connections, options.seconds, resting[kind]))
                    )
    finally:
        for server in (*servers.values(), sites):
            server.stop()
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("tornado", "jupyterhub", "jupytercloud-hub")},
        "idle_ms_per_s": {kind: rate * 1e3 for kind, rate in resting.items()},
        "rows": [],
    }
    print(report["machine"], report["versions"])
    print("idle, ms of CPU a second:", {kind: round(rate * 1e3, 1) for kind, rate in resting.items()})
    print(f"{'connections':>11}  {'bare µs CPU':>11}  {'ours µs CPU':>11}  {'ratio':>5}  {'ours/s':>7}")
    for connections, by_kind in results.items():
        bare, ours = (statistics.median(one["cpu_us"] for one in by_kind[kind]) for kind in ("bare", "ours"))
        # each round beside its own neighbour: what else the machine does changes within seconds
        pairs = zip(by_kind["bare"], by_kind["ours"], strict=True)
        ratio = statistics.median(one["cpu_us"] / other["cpu_us"] for other, one in pairs)
        rate = statistics.median(one["per_second"] for one in by_kind["ours"])
        row = {
            "connections": connections,
            "bare_cpu_us": bare,
            "ours_cpu_us": ours,
            "ratio": ratio,
            "per_second": rate,
        }
        report["rows"].append(row)
        print(f"{connections:>11}  {bare:>11.1f}  {ours:>11.1f}  {ratio:>5.2f}  {rate:>7.0f}")
    if options.json:
        options.json.write_text(json.dumps({**report, "raw": results}, indent=1))
    if options.rounds >= JUDGED and statistics.median(row["ratio"] for row in report["rows"]) > AIM:
        raise SystemExit(f"a redirect costs more than {AIM} times the bare handler's")


if __name__ == "__main__":
    main()

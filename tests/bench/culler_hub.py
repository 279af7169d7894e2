"""A real hub with servers that are no processes, for cullers to be measured on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.culling.hub import until
from tests.support.ports import free_ports

TOKEN = "bench-" + "b" * 26
CULLERS = ("ours", "theirs")
PATIENCE_S = 600  # a hub on a machine that does something else
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
        self.client = httpx.AsyncClient(timeout=PATIENCE_S, headers={"Authorization": f"Bearer {TOKEN}"})
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

        await until(up, PATIENCE_S)
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

        await until(ready, PATIENCE_S)

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

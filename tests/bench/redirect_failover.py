"""Sites break and come back under load: how long people are still sent there, and what they get instead.

``python -m tests.bench.redirect_failover [--clients 64] [--rate 1] [--json FILE]`` starts five real JupyterHubs, each
behind a front that stands for its proxy, and the federation service in a process of its own. 64 people with home
sites follow links all the time, four of the sites break one after the other and come back:

killed (hub and front are gone) · hung (SIGSTOP: connections are accepted, nothing answers) · 503 (the front lives, the
hub is gone) · full (the site's heartbeat says so). Agents' heartbeats go on every 5 s where the hub lives.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from jupytercloud_hub.contracts.heartbeat import Heartbeat
from jupytercloud_hub.federation import signing
from tests.federation.conftest import PREFIX
from tests.support.ports import free_port

AUDIENCE = "http://127.0.0.1:1/portal/"
BREAKS = ("killed", "hung", "503", "full")
AIMS = {"killed": 3.0, "hung": 6.0, "503": 3.0, "full": 3.0}
HUB = """
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.base_url = "/{name}/"
c.JupyterHub.proxy_class = "tests.support.hub.MemoryProxy"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.log_level = 40
"""


@dataclass
class Site:
    """A real hub and the front before it."""

    name: str
    folder: Path
    hub_port: int = field(default_factory=free_port)
    front_port: int = field(default_factory=free_port)
    key: Any = field(default_factory=lambda: signing.private_key(signing.new_key_pem()))
    process: subprocess.Popen | None = None
    front: asyncio.Server | None = None
    beating: bool = True
    full: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front_port}/{self.name}/"

    def start_hub(self) -> None:
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "config.py"
        config.write_text(HUB.format(port=self.hub_port, name=self.name))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            cwd=self.folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip

    def signal(self, number: int) -> None:
        assert self.process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        if number == signal.SIGKILL:
            self.process.wait()

    async def open_front(self) -> None:
        self.front = await asyncio.start_server(self._forward, "127.0.0.1", self.front_port)

    def close_front(self) -> None:
        assert self.front
        self.front.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.hub_port)
        except OSError:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
            return

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    async def answers(self) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.hub_port}/{self.name}/hub/health")).status_code == 200
            except httpx.HTTPError:
                return False

    async def until_it_answers(self) -> None:
        async with asyncio.timeout(120):
            while not await self.answers():
                await asyncio.sleep(0.1)


@dataclass
class Answer:
    begun: float
    ended: float
    home: str
    status: int
    site: str | None
    honest: bool


class Run:
    def __init__(self, sites: dict[str, Site], port: int, people: dict[str, str], rate: float) -> None:
        self.sites, self.people, self.rate = sites, people, rate
        self.base = f"http://127.0.0.1:{port}{PREFIX}"
        self.client = httpx.AsyncClient(
            base_url=self.base, trust_env=False, timeout=20, limits=httpx.Limits(max_connections=200)
        )
        self.answers: list[Answer] = []
        self.seen: list[tuple[float, dict[str, str]]] = []
        self.over = False

    async def person(self, name: str, home: str) -> None:
        """Follow a link again and again, keeping the portal's cookie as a browser does."""
        own = {"service-federation": name, "jupyterhub-session-id": name}
        while not self.over:
            begun = time.monotonic()
            cookie = "; ".join(f"{key}={value}" for key, value in own.items())
            try:
                answer = await self.client.get("go/hub/user-redirect/lab?x=1", headers={"Cookie": cookie})
            except httpx.HTTPError:
                self.answers.append(Answer(begun, time.monotonic(), home, 0, None, False))
            else:
                ended = time.monotonic()
                location = answer.headers.get("Location", "")
                site = next((site.name for site in self.sites.values() if location.startswith(site.url)), None)
                honest = (answer.status_code == 302 and site is not None) or (
                    answer.status_code == 503 and "Retry-After" in answer.headers and "<h1>" in answer.text
                )
                self.answers.append(Answer(begun, ended, home, answer.status_code, site, honest))
                own.update(answer.cookies)
                self.client.cookies.clear()
            await asyncio.sleep(max(0.0, begun + 1 / self.rate - time.monotonic()))

    async def agent(self, site: Site) -> None:
        while not self.over:
            if site.beating:
                await self.beat(site)
            await asyncio.sleep(5)

    async def beat(self, site: Site) -> None:
        beat = Heartbeat(site=site.name, sent=datetime.now(UTC), free={"*": 0} if site.full else {"*": 50})
        body = beat.model_dump_json().encode()
        token = signing.sign(site.key, site=site.name, audience=AUDIENCE, body=body, now=datetime.now(UTC))
        with contextlib.suppress(httpx.HTTPError):
            answer = await self.client.post(
                "api/v1/heartbeats", content=body, headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == 200, answer.text

    async def watch(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            while not self.over:
                states = (await client.get(f"{self.base}api/v1/status")).json()["sites"]
                self.seen.append((time.monotonic(), {site["name"]: site["state"] for site in states}))
                await asyncio.sleep(0.1)

    async def until(self, name: str, states: tuple[str, ...]) -> float:
        async with asyncio.timeout(90):
            while not self.seen or self.seen[-1][1][name] not in states:
                await asyncio.sleep(0.02)
        return self.seen[-1][0]

    async def break_and_mend(self, how: str, site: Site) -> dict[str, Any]:
        broken = time.monotonic()
        site.beating = how == "full"
        if how == "killed":
            site.close_front()
            site.signal(signal.SIGKILL)
        elif how == "hung":
            site.signal(signal.SIGSTOP)
        elif how == "503":
            site.signal(signal.SIGKILL)
        else:
            site.full = True
            await self.beat(site)
        known = await self.until(site.name, ("full",) if how == "full" else ("down",))
        await asyncio.sleep(12)
        mending = time.monotonic()
        if how in ("killed", "503"):
            site.start_hub()
            await site.until_it_answers()
            if how == "killed":
                await site.open_front()
        elif how == "hung":
            site.signal(signal.SIGCONT)
        site.full, site.beating = False, True
        mended = time.monotonic()
        if how == "full":
            await self.beat(site)
        await self.until(site.name, ("up", "degraded"))
        await asyncio.sleep(4)
        own = [answer for answer in self.answers if answer.home == site.name]
        wrong = [a for a in own if a.site == site.name and broken < a.begun and a.ended < mending]
        back = [a for a in own if a.site == site.name and a.begun > mended]
        others = [a for a in self.answers if a.home != site.name and broken < a.begun and a.ended < mending]
        return {
            "break": how,
            "last_redirect_s": max((a.begun - broken for a in wrong), default=0.0),
            "known_s": known - broken,
            "aim_s": AIMS[how],
            "redirects_to_it_when_known": sum(a.begun > known for a in wrong),
            "back_s": min((a.begun for a in back), default=float("nan")) - mended,
            "dishonest_when_known": sum(not a.honest for a in own if known < a.begun and a.ended < mending),
            "others_hurt": sum(a.status != 302 for a in others),
            "answers": len(own) + len(others),
        }


async def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    sites = {f"site{number}": Site(f"site{number}", folder / f"site{number}") for number in range(5)}
    names = list(sites)
    people = {f"person{number}": names[number % len(names)] for number in range(options.clients)}
    portal = None
    try:
        for site in sites.values():
            site.start_hub()
            await site.open_front()
        await asyncio.gather(*(site.until_it_answers() for site in sites.values()))
        (folder / "portal").mkdir()
        portal = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.redirect_failover_portal", str(folder / "portal")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        assert portal.stdin
        assert portal.stdout
        keys = {site.name: {"url": site.url, "key": signing.public_text(site.key)} for site in sites.values()}
        portal.stdin.write(json.dumps({"sites": keys, "people": people}) + "\n")
        portal.stdin.flush()
        port = json.loads(await asyncio.to_thread(portal.stdout.readline))["port"]
        run = Run(sites, port, people, options.rate)
        tasks = [asyncio.create_task(run.watch()), *(asyncio.create_task(run.agent(site)) for site in sites.values())]
        for name in names:
            await run.until(name, ("up", "degraded"))
        tasks += [asyncio.create_task(run.person(name, home)) for name, home in people.items()]
        await asyncio.sleep(5)
        rows = [await run.break_and_mend(how, sites[names[place]]) for place, how in enumerate(BREAKS)]
        run.over = True
        await asyncio.gather(*tasks)
        await run.client.aclose()
        return rows
    finally:
        for site in sites.values():
            if site.process:
                site.signal(signal.SIGCONT)
                site.signal(signal.SIGKILL)
        if portal:
            os.killpg(portal.pid, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.0, help="links a second for each person")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(options, Path(folder)))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    versions = {name: version(name) for name in ("tornado", "jupyterhub", "jupytercloud-hub")}
    print(machine, versions)
    print(f"{'broken':>7}  {'last redirect':>13}  {'aim':>5}  {'known':>6}  {'sent when known':>15}  {'back':>6}  "
          f"{'dishonest':>9}  {'others hurt':>11}  {'answers':>7}")  # fmt: skip
    for row in rows:
        print(
            f"{row['break']:>7}  {row['last_redirect_s']:>11.2f} s  {row['aim_s']:>3.0f} s  {row['known_s']:>4.1f} s  "
            f"{row['redirects_to_it_when_known']:>15}  {row['back_s']:>4.1f} s  {row['dishonest_when_known']:>9}  "
            f"{row['others_hurt']:>11}  {row['answers']:>7}"
        )
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "versions": versions, "rows": rows}, indent=1))
    bad = any(row["redirects_to_it_when_known"] or row["dishonest_when_known"] for row in rows)
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()

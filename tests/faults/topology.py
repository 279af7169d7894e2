"""The demo's provider, portal and two sites for faults: each process can be ended and started anew, each cable cut.

Beside the demo: servers outlive their hub, as on a real engine; grenoble keeps its ledger on PostgreSQL and runs
each service by itself, paris-saclay all in one process on SQLite; everything looks more often, so that a run is short.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import make_url

from jupytercloud_hub.contracts.heartbeat import Heartbeat, Notice
from jupytercloud_hub.demo import files, node, provider_process
from jupytercloud_hub.demo.plan import HOST, SITES, Hub, Plan
from jupytercloud_hub.federation import signing
from jupytercloud_hub.spawners.base import slug
from jupytercloud_hub.spawners.processes import last_lines
from tests.support import CACHE, faketime
from tests.support.demo import alive, free_port
from tests.support.ports import free_ports
from tests.support.postgresql import Postgresql

from .wire import Wire

UP_SECONDS = 300.0
HERE = Path(__file__).parent
HEARTBEAT = 2.0
POLL = 2.0

LAUNCH = """
import sys
sys.modules["rfc3987_syntax"] = None  # jsonschema's, for formats that nobody asks for: a second of a hub's start
from jupyterhub.app import main
main()
"""
MORE = """
import os, select, sys, time
if "LD_PRELOAD" in os.environ:
    time.sleep = lambda seconds: select.select([], [], [], seconds)  # libfaketime 0.9.10 breaks Python's own
from jupyterhub.services import service
service._ServiceSpawner.poll_interval.default_value = {poll}  # no trait sets it; half a minute is long for a test
c.JupyterHub.bind_url = "http://127.0.0.1:{bind}{base}"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.services.append({{"name": "faults", "api_token": "{token}", "display": False}})
c.JupyterHub.load_roles.append({{"name": "faults", "services": ["faults"],
    "scopes": ["admin:users", "admin:servers", "read:hub", "proxy", "access:servers"]}})
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 1}}
c.ConfigurableHTTPProxy.check_running_interval = 2
"""
MORE_OF_A_SITE = """
c.Spawner.poll_interval = {poll}
c.Spawner.cmd = [sys.executable, "{server}"]
c.Spawner.environment = {{**c.Spawner.environment, "FAULTS_TRUTH": "{truth}"}}
for each in c.JupyterHub.services:
    if "command" in each:
        each["environment"] = {{**each.get("environment", {{}}),
            **{{k: v for k, v in os.environ.items() if "FAKETIME" in k or k == "LD_PRELOAD"}}}}
"""


@dataclass
class World:
    """All that runs. ``wires``: ``heartbeats``, ``probes-<site>``, ``postgresql``."""

    plan: Plan
    place: Path
    postgresql: Postgresql
    wires: dict[str, Wire]
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    """Hubs and providers that gave up, with their last words; they were started again."""
    database: str = ""
    """Address of grenoble's database, by the cable."""
    postgresql_url: str = ""
    """The same past the cable."""

    # -- files

    @property
    def truth(self) -> Path:
        return self.plan.state / "truth"

    def settings(self, hub: str) -> Path:
        return self.plan.folder(hub) / "jupytercloud.yaml"

    def write(self) -> None:
        """Write the demo's files, and change in them what faults need otherwise."""
        files.write(self.plan, self.place)
        self.truth.mkdir(exist_ok=True)
        for hub in self.plan.hubs:
            bind = self.wires["heartbeats"].target if hub.name == "portal" else hub.public
            self.change(hub.name, *(PORTAL if hub.role == "portal" else SITE))
            config = self.plan.folder(hub.name) / "jupyterhub_config.py"
            values = {"bind": bind, "base": hub.base_path, "token": self.token, "poll": POLL}
            more = MORE.format(**values)
            if hub.role == "site":
                more += MORE_OF_A_SITE.format(**values, server=HERE / "light_server.py", truth=self.truth)
            config.write_text(config.read_text() + more)
        for site in SITES:
            url = self.plan.hub(site).url
            probe = url.replace(f":{self.plan.hub(site).public}/", f":{self.wires[f'probes-{site}'].port}/")
            self.change("portal", (f"url: {url}\n", f"url: {url}\n      probe_url: {probe}\n"))
        self.change(
            "grenoble",
            ("services: together", "services: separate"),
            (
                'database: {url: "sqlite:///state/jupytercloud.sqlite"}',
                f"database: {{url: {json.dumps(self.database)}}}",
            ),
        )

    def change(self, hub: str, *changes: tuple[str, str]) -> None:
        """Replace words in a hub's settings; each must be there."""
        path = self.settings(hub)
        text = path.read_text()
        for old, new in changes:
            assert old in text, (hub, old)
            text = text.replace(old, new)
        path.write_text(text)

    def name_of(self, address: str) -> str:
        """Return the hub that an address belongs to, ``provider`` for all others."""
        port = urlsplit(address).port
        return next((hub.name for hub in self.plan.hubs if hub.public == port), "provider")

    def address(self, hub: str) -> str:
        """Return where people find a hub."""
        return self.plan.hub(hub).url

    def provider_config(self) -> dict[str, Any]:
        """Return what the provider is told."""
        return files.provider_config(self.plan)

    # -- processes

    def start(self, name: str, clock: str = "") -> None:
        """Start the provider or a hub, unless it runs; ``clock``: how far its clock is off, as ``+1h``."""
        if name in self.processes and self.processes[name].poll() is None:
            return
        unwanted = ("JUPYTERHUB_", "CONFIGPROXY_", "JPY_", "PYTHONDONTWRITEBYTECODE")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        environment |= {"NO_PROXY": "127.0.0.1,localhost", "TMPDIR": str(self.plan.state / "tmp")}
        if name == "provider":
            config = self.plan.state / provider_process.CONFIG_NAME
            secret = provider_process.write_config(config, self.provider_config())
            command = provider_process.command(self.place, config)
            environment["JUPYTERCLOUD_DEMO_SECRET"] = secret
            folder = self.plan.state
        else:
            command = [sys.executable, "-c", LAUNCH, "--config", "jupyterhub_config.py"]
            folder = self.plan.folder(name)
            if clock:
                environment |= {"LD_PRELOAD": str(faketime.library()), "FAKETIME": clock}
                environment |= {"DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with (self.plan.state / "logs" / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to the provider or a hub."""
        process = self.processes[name]
        with suppress(ProcessLookupError):
            process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            process.wait(30)

    def service(self, hub: str, name: str) -> int:
        """Return the process of a hub's service (``all``: the one where all are); waits until it is there."""
        wanted = ["serve", name, "--config", str(self.settings(hub).resolve())]
        return self._find(lambda words: words[-len(wanted) :] == wanted or wanted == words[3:7], f"{hub} {name}")

    def proxy(self, hub: str) -> int:
        """Return the process of a hub's proxy."""
        port = str(self.plan.hub(hub).proxy_api)
        return self._find(
            lambda words: any("configurable-http-proxy" in word for word in words) and port in words, f"{hub} proxy"
        )

    def _find(self, fits: Any, name: str) -> int:
        deadline = time.monotonic() + UP_SECONDS
        while True:
            for entry in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
                    if words and fits(words):
                        return int(entry.name)
            assert time.monotonic() < deadline, f"{name} does not run"
            time.sleep(0.1)

    def servers(self, hub: str) -> dict[int, str]:
        """Return the single-user servers of a site that truly live: process → slug of the user."""
        found = {}
        start = f"JUPYTERCLOUD_SERVER={slug(hub)}/".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                told = (entry / "environ").read_bytes().split(b"\0")
                mark = next((t for t in told if t.startswith(start)), None)
                if mark and state not in "ZX" and f"FAULTS_TRUTH={self.truth}".encode() in told:
                    found[int(entry.name)] = mark.decode().split("/")[1]
        return found

    def end(self) -> None:
        """End every process that belongs to the folder, whoever its parent is by now."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + (4 if number == signal.SIGTERM else 10)
            while (left := alive(self.plan.state)) and time.monotonic() < deadline:
                for line in left:
                    with suppress(ProcessLookupError):
                        os.kill(int(line.split()[0]), number)
                        os.kill(int(line.split()[0]), signal.SIGCONT)
                time.sleep(0.3)
        for process in self.processes.values():
            process.wait(10)
            if process.stdin:
                process.stdin.close()

    # -- asking

    @asynccontextmanager
    async def api(self, hub: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the hub's API as administrator, past its proxy."""
        one = self.plan.hub(hub)
        async with httpx.AsyncClient(
            base_url=f"http://{HOST}:{one.hub}{one.base_path}hub/api/",
            headers={"Authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=30,
        ) as client:
            yield client

    async def until_well(self, seconds: float = UP_SECONDS) -> None:
        """Wait until everything answers as it should, the portal knows both sites as up, and says so."""
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            while why := await self._not_well(client):
                assert time.monotonic() < deadline, f"not well again after {seconds:g} s: {why}"
                await asyncio.sleep(0.5)

    async def until_answers(self, name: str) -> None:
        """Wait until a hub answers behind its proxy."""
        deadline = time.monotonic() + UP_SECONDS
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            while time.monotonic() < deadline:
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{self.address(name)}hub/health")).status_code == 200:
                        return
                await asyncio.sleep(0.2)
        raise AssertionError(f"{name} does not answer")

    async def forge(self, site: str) -> None:
        """Send heartbeats that somebody else signed, and garbage: all have to be refused, once the portal answers."""
        portal = self.plan.hub("portal").url
        body = Heartbeat(site=site, sent=datetime.now(UTC), drain=Notice())
        sent = body.model_dump_json().encode()
        key = Ed25519PrivateKey.generate()
        good = signing.sign(key, site=site, audience=portal, body=sent, now=datetime.now(UTC))
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            forged = [good, good[:-4], "x", "a.b.c"]
            deadline = time.monotonic() + UP_SECONDS
            while forged:
                with suppress(httpx.TransportError):
                    answer = await client.post(
                        f"{portal}services/federation/api/v1/heartbeats",
                        content=sent,
                        headers={"Authorization": f"Bearer {forged[0]}", "Content-Type": "application/json"},
                    )
                    assert answer.status_code >= 400, (forged[0], answer.status_code, answer.text)
                    if answer.status_code < 500:
                        forged.pop(0)
                        continue
                assert time.monotonic() < deadline, "the portal does not answer"
                await asyncio.sleep(0.5)

    async def _not_well(self, client: httpx.AsyncClient) -> str:
        for name, process in self.processes.items():
            if process.poll() is not None:
                said = last_lines(self.plan.state / "logs" / f"{name}.log")
                self.ended.append(f"{name} ended by itself (code {process.returncode}): {said[-700:]}")
                self.start(name)  # as systemd and Docker do
                return self.ended[-1]
        wanted = {f"{self.plan.issuer}/.well-known/openid-configuration": "provider"}
        for hub in self.plan.hubs:
            wanted[f"{hub.url}hub/health"] = hub.name
            wanted |= {f"{hub.url}services/{service}/health": f"{hub.name} {service}" for service in hub.services}
        try:
            for url, name in wanted.items():
                answer = await client.get(url)
                if answer.status_code != 200:
                    return f"{name}: {answer.status_code} {answer.text[:300]}"
            status = await client.get(f"{self.plan.hub('portal').url}services/federation/api/v1/status")
            states = {site["name"]: site["state"] for site in status.json()["sites"]}
        except (httpx.HTTPError, ValueError, KeyError) as error:
            return f"{type(error).__name__} {error}"
        return "" if set(states.values()) <= {"up", "degraded"} else f"the portal shows {states}"


PORTAL = (
    ("{timeout: 8 s, slow: 4 s}", "{interval: 1 s, timeout: 4 s, slow: 2 s, longest: 2 s, heartbeat_expires: 5 s}"),
)
SITE = (
    ("homes: homes, end_with_hub: true", "homes: homes, end_with_hub: false"),
    ("every: 15 s", "every: 5 s"),
    ("heartbeat: 15 s", f"heartbeat: {HEARTBEAT:g} s"),
    ("interval: 5 s", "interval: 1 s"),
)


def hubs(plan: Plan) -> dict[str, Hub]:
    """Return the hubs by name."""
    return {hub.name: hub for hub in plan.hubs}


@asynccontextmanager
async def running(state: Path) -> AsyncIterator[World]:
    """Bring everything up in a folder; at the end every process of it is gone."""
    state.mkdir(parents=True, exist_ok=True)
    plan = Plan(state.resolve(), free_port())
    inner, probe_one, probe_two, relay = free_ports(4)
    async with AsyncExitStack() as stack:
        postgresql = stack.enter_context(Postgresql.running())
        database = stack.enter_context(postgresql.database())
        address = make_url(database)
        wires = {
            "heartbeats": Wire(plan.hub("portal").public, inner, only=b"/api/v1/heartbeats"),
            "probes-paris-saclay": Wire(probe_one, plan.hub("paris-saclay").public),
            "probes-grenoble": Wire(probe_two, plan.hub("grenoble").public),
            "postgresql": Wire(relay, address.port or 5432),
        }
        world = World(
            plan,
            await asyncio.to_thread(node.prepare, CACHE / "node"),
            postgresql,
            wires,
            database=address.set(port=relay).render_as_string(hide_password=False),
            postgresql_url=address.render_as_string(hide_password=False),
        )
        world.write()
        for wire in wires.values():
            await wire.start()
            stack.push_async_callback(wire.stop)
        try:
            for name in ("provider", "portal", *SITES):
                world.start(name)
            await world.until_well()
            yield world
        finally:
            await asyncio.to_thread(world.end)

"""The faults: each strikes, lasts while people work, and is mended as an operator or the machine itself would."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from jupytercloud_hub.demo.plan import SITES

from .topology import World
from .wire import Mode

Steps = Callable[[World, random.Random], AsyncIterator[None]]
"""Strikes, yields, mends."""
Victim = Callable[[World, random.Random], int]
"""Chooses a process."""
Strike = Callable[[World, random.Random], AbstractAsyncContextManager[object]]


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    strike: Strike
    kills_servers: bool = False
    """Servers of people end with it: all others have to go on."""
    nobody_answers: bool = False
    """Connections may be refused meanwhile: what would answer is what was ended, or a hub that starts again starts its
    proxy anew too."""


KINDS: dict[str, Fault] = {}
HOLD = (0.5, 3.0)
"""Seconds that a fault lasts, where it does not end by itself."""


def fault(name: str, *, kills_servers: bool = False, nobody_answers: bool = False) -> Callable[[Steps], None]:
    """Put a fault into the table; what stands before its ``yield`` strikes, what follows mends."""

    def put(strike: Steps) -> None:
        KINDS[name] = Fault(name, asynccontextmanager(strike), kills_servers, nobody_answers)

    return put


def _end(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


# -- killed, and started again by whoever does that


def _killed_hub(hub: str | None) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        name = hub or chance.choice(SITES)
        await asyncio.to_thread(world.kill, name)
        yield
        world.start(name)

    return strike


fault("a site's hub killed", nobody_answers=True)(_killed_hub(None))
fault("the portal's hub killed", nobody_answers=True)(_killed_hub("portal"))
fault("the identity provider killed", nobody_answers=True)(_killed_hub("provider"))


def _killed(of: Victim) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        _end(await asyncio.to_thread(of, world, chance))
        yield

    return strike


fault("a site's proxy killed", nobody_answers=True)(_killed(lambda w, c: w.proxy(c.choice(SITES))))
fault("the portal's proxy killed", nobody_answers=True)(_killed(lambda w, c: w.proxy("portal")))
fault("the federation service killed")(_killed(lambda w, c: w.service("portal", "federation")))
fault("a site's agent killed")(_killed(lambda w, c: w.service("grenoble", "agent")))
fault("the quota service killed")(_killed(lambda w, c: w.service("grenoble", "quotas")))
fault("the culler killed")(_killed(lambda w, c: w.service("grenoble", "culler")))
fault("all services of a site killed at once")(_killed(lambda w, c: w.service("paris-saclay", "all")))


@fault("a person's server killed", kills_servers=True)
async def _server_killed(world: World, chance: random.Random) -> AsyncIterator[None]:
    if living := sorted(pid for site in SITES for pid in world.servers(site)):
        _end(chance.choice(living))
    yield


def _power(name_of: Callable[[random.Random], str]) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        name = name_of(chance)
        ours = [world.processes[name].pid, world.proxy(name)]
        ours += list(world.servers(name)) if name in SITES else []
        with suppress(AssertionError):
            ours += [world.service(name, each) for each in SERVICES[name]]
        for pid in ours:
            _end(pid)
        await asyncio.to_thread(world.processes[name].wait, 30)
        yield
        world.start(name)

    return strike


SERVICES = {"portal": ("federation",), "paris-saclay": ("all",), "grenoble": ("agent", "quotas", "culler")}
fault("power cut at a site", kills_servers=True, nobody_answers=True)(_power(lambda c: c.choice(SITES)))
fault("power cut at the portal", nobody_answers=True)(_power(lambda c: "portal"))


# -- stopped for a while: a machine that swaps, a frozen virtual machine


def _frozen(of: Victim) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        pid = await asyncio.to_thread(of, world, chance)
        _end(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            _end(pid, signal.SIGCONT)

    return strike


fault("a site's hub frozen")(_frozen(lambda w, c: w.processes[c.choice(SITES)].pid))
fault("the portal's hub frozen")(_frozen(lambda w, c: w.processes["portal"].pid))
fault("the federation service frozen")(_frozen(lambda w, c: w.service("portal", "federation")))
fault("the quota service frozen")(_frozen(lambda w, c: w.service("grenoble", "quotas")))
fault("the identity provider frozen")(_frozen(lambda w, c: w.processes["provider"].pid))
fault("a site's proxy frozen")(_frozen(lambda w, c: w.proxy(c.choice(SITES))))


@fault("a person's server frozen")
async def _server_frozen(world: World, chance: random.Random) -> AsyncIterator[None]:
    living = sorted(pid for site in SITES for pid in world.servers(site))
    chosen = [chance.choice(living)] if living else []
    for pid in chosen:
        _end(pid, signal.SIGSTOP)
    yield
    for pid in chosen:
        _end(pid, signal.SIGCONT)


# -- networks


def _cable(name_of: Callable[[random.Random], str], mode: Mode) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        wire = world.wires[name_of(chance)]
        wire.set(mode)
        try:
            yield
        finally:
            wire.set("through")
            if mode == "silent":
                await wire.hang_up()

    return strike


def _probes(chance: random.Random) -> str:
    return f"probes-{chance.choice(SITES)}"


fault("heartbeats cut off")(_cable(lambda c: "heartbeats", "cut"))
fault("heartbeats vanish")(_cable(lambda c: "heartbeats", "silent"))
fault("heartbeats slow")(_cable(lambda c: "heartbeats", "slow"))
fault("a site cut off from the portal's probes")(_cable(_probes, "cut"))
fault("probes of a site vanish")(_cable(_probes, "silent"))
fault("a slow line to a site")(_cable(_probes, "slow"))
fault("a site cut off from PostgreSQL")(_cable(lambda c: "postgresql", "cut"))
fault("a route to PostgreSQL lost")(_cable(lambda c: "postgresql", "silent"))
fault("a slow line to PostgreSQL")(_cable(lambda c: "postgresql", "slow"))


@fault("the portal cut off from all sites")
async def _portal_alone(world: World, chance: random.Random) -> AsyncIterator[None]:
    wires = [world.wires[name] for name in ("heartbeats", *(f"probes-{site}" for site in SITES))]
    for wire in wires:
        wire.set("cut")
    yield
    for wire in wires:
        wire.set("through")


# -- names


def _no_name(hub: str, words: Callable[[World], tuple[str, str]], restart: str) -> Steps:
    """A name that DNS does not know stands where a good one stood (RFC 6761: ``.invalid`` never resolves)."""

    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        good, bad = words(world)
        world.change(hub, (good, bad))
        await _anew(world, hub, restart)
        yield
        world.change(hub, (bad, good))
        await _anew(world, hub, restart)

    return strike


async def _anew(world: World, hub: str, what: str) -> None:
    if what == "hub":
        await asyncio.to_thread(world.kill, hub)
        world.start(hub)
        await world.until_answers(hub)
    else:
        _end(await asyncio.to_thread(world.service, hub, what))


fault("DNS does not know the portal")(
    _no_name(
        "grenoble",
        lambda w: (f"portal: {{url: {w.plan.hub('portal').url}", "portal: {url: https://portal.invalid/"),
        "agent",
    )
)
fault("DNS does not know the identity provider", nobody_answers=True)(
    _no_name("grenoble", lambda w: (f"issuer: {w.plan.issuer}", "issuer: https://idp.invalid"), "hub")
)


# -- databases


@fault("PostgreSQL stopped as by a power cut and started")
async def _postgresql_restarts(world: World, chance: random.Random) -> AsyncIterator[None]:
    await asyncio.to_thread(world.postgresql.stop, "immediate")
    yield
    await asyncio.to_thread(world.postgresql.start)


@fault("PostgreSQL ends all connections")
async def _postgresql_ends_connections(world: World, chance: random.Random) -> AsyncIterator[None]:
    with psycopg.connect(world.postgresql_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    yield


def _locked(hub: str) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        path = world.plan.folder(hub) / "state/jupytercloud.sqlite"
        connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        with suppress(sqlite3.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.close()

    return strike


fault("the portal's database locked by somebody else")(_locked("portal"))
fault("a site's database locked by somebody else")(_locked("paris-saclay"))


# -- disks and limits of processes


def _limited(of: Victim, what: int, value: Callable[[int], int]) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        pid = await asyncio.to_thread(of, world, chance)
        with suppress(ProcessLookupError):
            before = resource.prlimit(pid, what)
            resource.prlimit(pid, what, (value(pid), before[1]))
        yield
        with suppress(ProcessLookupError):
            resource.prlimit(pid, what, before)

    return strike


def _nothing(pid: int) -> int:
    """No file may grow beyond this: with a full disk's EFBIG in place of its ENOSPC."""
    return 1


def _no_more_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


SIZE, FILES = resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE
fault("disk full under the federation service")(
    _limited(lambda w, c: w.service("portal", "federation"), SIZE, _nothing)
)
fault("disk full under a site's services")(_limited(lambda w, c: w.service("paris-saclay", "all"), SIZE, _nothing))
fault("no more file descriptors for the federation service")(
    _limited(lambda w, c: w.service("portal", "federation"), FILES, _no_more_files)
)


# -- clocks


def _clock(offsets: tuple[str, ...]) -> Steps:
    async def strike(world: World, chance: random.Random) -> AsyncIterator[None]:
        """The machine starts with a wrong clock, and again with a right one: hub and services have it together."""
        name = chance.choice(SITES)
        await asyncio.to_thread(world.kill, name)
        world.start(name, clock=chance.choice(offsets))
        await world.until_answers(name)
        yield
        await asyncio.to_thread(world.kill, name)
        world.start(name)

    return strike


fault("a site's clock is ahead", nobody_answers=True)(_clock(("+90s", "+10m", "+1h")))
fault("a site's clock is behind", nobody_answers=True)(_clock(("-90s", "-10m", "-1h")))


# -- keys, tokens, files


@fault("the provider's keys changed", nobody_answers=True)
async def _provider_keys(world: World, chance: random.Random) -> AsyncIterator[None]:
    path = world.plan.state / "provider-keys.json"
    keys = json.loads(path.read_text())
    path.unlink()
    await asyncio.to_thread(world.kill, "provider")
    world.start("provider")
    while not path.exists():
        await asyncio.sleep(0.1)
    # People stay who they are: what changes is what tokens are signed with.
    fresh = json.loads(path.read_text())
    path.write_text(json.dumps({**fresh, "pairwise": keys["pairwise"]}))
    await asyncio.to_thread(world.kill, "provider")
    world.start("provider")
    yield


@fault("a site's key changed")
async def _site_key(world: World, chance: random.Random) -> AsyncIterator[None]:
    site = chance.choice(SITES)
    command = [sys.executable, "-m", "jupytercloud_hub", "sites", "rotate-key", "--config", str(world.settings(site))]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    await process.wait()


@fault("all sessions at a hub end", nobody_answers=True)
async def _sessions(world: World, chance: random.Random) -> AsyncIterator[None]:
    name = chance.choice([hub.name for hub in world.plan.hubs])
    await asyncio.to_thread(world.kill, name)
    (world.plan.folder(name) / "state/jupyterhub_cookie_secret").unlink()
    world.start(name)
    yield


@fault("files of the state cut short")
async def _cut_short(world: World, chance: random.Random) -> AsyncIterator[None]:
    for site in SITES:
        folder = world.plan.folder(site) / "state"
        (folder / "site-notices.json").write_text('{"drain": {"sin')
        (folder / "jupyterhub-proxy.pid").write_text("")
    yield
    for site in SITES:
        (world.plan.folder(site) / "state/site-notices.json").unlink(missing_ok=True)


@fault("forged heartbeats say that a site is away")
async def _forged(world: World, chance: random.Random) -> AsyncIterator[None]:
    await world.forge(chance.choice(SITES))
    yield

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
from contextlib import suppress
from pathlib import Path

import psycopg

from jupytercloud_hub.demo.plan import SITES

from .kind import KINDS, Aim, Fault, Steps, Victim, fault
from .topology import World
from .wire import Mode

__all__ = ["HOLD", "KINDS", "Fault"]

HOLD = (0.5, 3.0)
"""Seconds that a fault lasts, where it does not end by itself."""


def _end(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


# -- killed, and started again by whoever does that


def _killed_hub(hub: str = "") -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        await asyncio.to_thread(aim.world.kill, hub or aim.site)
        yield
        aim.world.start(hub or aim.site)

    return strike


fault("a site's hub killed", "site", nobody_answers=True)(_killed_hub())
fault("the portal's hub killed", "portal", nobody_answers=True)(_killed_hub("portal"))
fault("the identity provider killed", "provider", nobody_answers=True)(_killed_hub("provider"))


def _killed(of: Victim) -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        _end(await asyncio.to_thread(of, aim))
        yield

    return strike


def _proxy(aim: Aim) -> int:
    return aim.world.proxy(aim.site)


def _service(hub: str, name: str) -> Victim:
    return lambda aim: aim.world.service(hub, name)


fault("a site's proxy killed", "site", nobody_answers=True)(_killed(_proxy))
fault("the portal's proxy killed", "portal", nobody_answers=True)(_killed(lambda aim: aim.world.proxy("portal")))
fault("the federation service killed", "portal")(_killed(_service("portal", "federation")))
fault("a site's agent killed", "grenoble")(_killed(_service("grenoble", "agent")))
fault("the quota service killed", "grenoble")(_killed(_service("grenoble", "quotas")))
fault("the culler killed", "grenoble")(_killed(_service("grenoble", "culler")))
fault("all services of a site killed at once", "paris-saclay")(_killed(_service("paris-saclay", "all")))


def _somebodys(aim: Aim) -> list[int]:
    """Return the process of one server that runs, or nothing where none does."""
    living = sorted(pid for site in SITES for pid in aim.world.servers(site))
    return [aim.chance.choice(living)] if living else []


@fault("a person's server killed", "person", kills="one server")
async def _server_killed(aim: Aim) -> AsyncIterator[None]:
    for pid in _somebodys(aim):
        _end(pid)
    yield


def _power(hub: str = "") -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        world, name = aim.world, hub or aim.site
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
fault("power cut at a site", "site", kills="the site's servers", nobody_answers=True)(_power())
fault("power cut at the portal", "portal", nobody_answers=True)(_power("portal"))


# -- stopped for a while: a machine that swaps, a frozen virtual machine


def _frozen(of: Victim) -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        pid = await asyncio.to_thread(of, aim)
        _end(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            _end(pid, signal.SIGCONT)

    return strike


fault("a site's hub frozen", "site")(_frozen(lambda aim: aim.hub.pid))
fault("the portal's hub frozen", "portal")(_frozen(lambda aim: aim.world.processes["portal"].pid))
fault("the federation service frozen", "portal")(_frozen(_service("portal", "federation")))
fault("the quota service frozen", "grenoble")(_frozen(_service("grenoble", "quotas")))
fault("the identity provider frozen", "provider")(_frozen(lambda aim: aim.world.processes["provider"].pid))
fault("a site's proxy frozen", "site")(_frozen(_proxy))


@fault("a person's server frozen", "person")
async def _server_frozen(aim: Aim) -> AsyncIterator[None]:
    chosen = _somebodys(aim)
    for pid in chosen:
        _end(pid, signal.SIGSTOP)
    yield
    for pid in chosen:
        _end(pid, signal.SIGCONT)


# -- networks


def _cable(name_of: Callable[[random.Random], str], mode: Mode) -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        wire = aim.world.wires[name_of(aim.chance)]
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


fault("heartbeats cut off", "line")(_cable(lambda c: "heartbeats", "cut"))
fault("heartbeats vanish", "line")(_cable(lambda c: "heartbeats", "silent"))
fault("heartbeats slow", "line")(_cable(lambda c: "heartbeats", "slow"))
fault("a site cut off from the portal's probes", "line")(_cable(_probes, "cut"))
fault("probes of a site vanish", "line")(_cable(_probes, "silent"))
fault("a slow line to a site", "line")(_cable(_probes, "slow"))
fault("a site cut off from PostgreSQL", "line")(_cable(lambda c: "postgresql", "cut"))
fault("a route to PostgreSQL lost", "line")(_cable(lambda c: "postgresql", "silent"))
fault("a slow line to PostgreSQL", "line")(_cable(lambda c: "postgresql", "slow"))


@fault("the portal cut off from all sites", "line")
async def _portal_alone(aim: Aim) -> AsyncIterator[None]:
    wires = [aim.world.wires[name] for name in ("heartbeats", *(f"probes-{site}" for site in SITES))]
    for wire in wires:
        wire.set("cut")
    yield
    for wire in wires:
        wire.set("through")


# -- names


def _no_name(hub: str, words: Callable[[World], tuple[str, str]], restart: str) -> Steps:
    """A name that DNS does not know stands where a good one stood (RFC 6761: ``.invalid`` never resolves)."""

    async def strike(aim: Aim) -> AsyncIterator[None]:
        good, bad = words(aim.world)
        aim.world.change(hub, (good, bad))
        await _anew(aim.world, hub, restart)
        yield
        aim.world.change(hub, (bad, good))
        await _anew(aim.world, hub, restart)

    return strike


async def _anew(world: World, hub: str, what: str) -> None:
    if what == "hub":
        await asyncio.to_thread(world.kill, hub)
        world.start(hub)
        await world.until_answers(hub)
    else:
        _end(await asyncio.to_thread(world.service, hub, what))


fault("DNS does not know the portal", "grenoble")(
    _no_name(
        "grenoble",
        lambda w: (f"portal: {{url: {w.plan.hub('portal').url}", "portal: {url: https://portal.invalid/"),
        "agent",
    )
)
fault("DNS does not know the identity provider", "grenoble", nobody_answers=True)(
    _no_name("grenoble", lambda w: (f"issuer: {w.plan.issuer}", "issuer: https://idp.invalid"), "hub")
)


# -- databases


@fault("PostgreSQL stopped as by a power cut and started", "line")
async def _postgresql_restarts(aim: Aim) -> AsyncIterator[None]:
    await asyncio.to_thread(aim.world.postgresql.stop, "immediate")
    yield
    await asyncio.to_thread(aim.world.postgresql.start)


@fault("PostgreSQL ends all connections", "line")
async def _postgresql_ends_connections(aim: Aim) -> AsyncIterator[None]:
    with psycopg.connect(aim.world.postgresql_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    yield


def _locked(hub: str) -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        path = aim.world.plan.folder(hub) / "state/jupytercloud.sqlite"
        connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        with suppress(sqlite3.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.close()

    return strike


fault("the portal's database locked by somebody else", "portal")(_locked("portal"))
fault("a site's database locked by somebody else", "paris-saclay")(_locked("paris-saclay"))


# -- disks and limits of processes


def _limited(of: Victim, what: int, value: Callable[[int], int]) -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        pid = await asyncio.to_thread(of, aim)
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
fault("disk full under the federation service", "portal")(_limited(_service("portal", "federation"), SIZE, _nothing))
fault("disk full under a site's services", "paris-saclay")(_limited(_service("paris-saclay", "all"), SIZE, _nothing))
fault("no more file descriptors for the federation service", "portal")(
    _limited(_service("portal", "federation"), FILES, _no_more_files)
)


# -- clocks


def _clock(offsets: tuple[str, ...]) -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        """The machine starts with a wrong clock, and again with a right one: hub and services have it together."""
        await asyncio.to_thread(aim.world.kill, aim.site)
        aim.world.start(aim.site, clock=aim.chance.choice(offsets))
        await aim.world.until_answers(aim.site)
        yield
        await asyncio.to_thread(aim.world.kill, aim.site)
        aim.world.start(aim.site)

    return strike


fault("a site's clock is ahead", "site", nobody_answers=True)(_clock(("+90s", "+10m", "+1h")))
fault("a site's clock is behind", "site", nobody_answers=True)(_clock(("-90s", "-10m", "-1h")))


# -- keys, tokens, files


@fault("the provider's keys changed", "provider", nobody_answers=True)
async def _provider_keys(aim: Aim) -> AsyncIterator[None]:
    world = aim.world
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


@fault("a site's key changed", "site")
async def _site_key(aim: Aim) -> AsyncIterator[None]:
    settings = str(aim.world.settings(aim.site))
    command = [sys.executable, "-m", "jupytercloud_hub", "sites", "rotate-key", "--config", settings]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    await process.wait()


def _sessions(hub: str = "") -> Steps:
    async def strike(aim: Aim) -> AsyncIterator[None]:
        name = hub or aim.site
        await asyncio.to_thread(aim.world.kill, name)
        (aim.world.plan.folder(name) / "state/jupyterhub_cookie_secret").unlink()
        aim.world.start(name)
        yield

    return strike


fault("all sessions at the portal end", "portal", nobody_answers=True)(_sessions("portal"))
fault("all sessions at a site end", "site", nobody_answers=True)(_sessions())


@fault("files of the state cut short", "site")
async def _cut_short(aim: Aim) -> AsyncIterator[None]:
    folder = aim.world.plan.folder(aim.site) / "state"
    (folder / "site-notices.json").write_text('{"drain": {"sin')
    (folder / "jupyterhub-proxy.pid").write_text("")
    yield
    (folder / "site-notices.json").unlink(missing_ok=True)


@fault("forged heartbeats say that a site is away", "line")
async def _forged(aim: Aim) -> AsyncIterator[None]:
    await aim.world.forge(aim.chance.choice(SITES))
    yield

"""The faults that strike on a real engine, at its machines and at the hub's ways to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from .engine_site import EngineWorld
from .wire import Mode

Steps = Callable[[EngineWorld], AsyncIterator[None]]
"""Strikes, yields, mends."""
NODE = "node2"


@dataclass(frozen=True)
class EngineFault:
    """One kind: ``ends`` says that the servers on `NODE` end with it, ``nobody_answers`` that the hub does."""

    name: str
    engines: tuple[str, ...]
    strike: Callable[[EngineWorld], AbstractAsyncContextManager[object]]
    ends: bool = False
    nobody_answers: bool = False


KINDS: dict[str, EngineFault] = {}
BOTH = ("swarm", "kubernetes")
HOLD = 4.0
"""Seconds that a fault lasts: shorter than an engine takes until it gives a machine up."""


def fault(name: str, *engines: str, ends: bool = False, nobody_answers: bool = False) -> Callable[[Steps], None]:
    """Put a fault into the table."""

    def put(strike: Steps) -> None:
        KINDS[name] = EngineFault(name, engines or BOTH, asynccontextmanager(strike), ends, nobody_answers)

    return put


@fault("the hub killed while servers start", nobody_answers=True)
async def _hub(world: EngineWorld) -> AsyncIterator[None]:
    before = set(await asyncio.to_thread(world.site.held))
    for _ in range(600):  # until a start is under way
        if set(await asyncio.to_thread(world.site.held)) - before:
            break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(world.site.kill)
    yield
    await asyncio.to_thread(world.site.back)


@fault("a machine killed", ends=True)
async def _machine(world: EngineWorld) -> AsyncIterator[None]:
    await asyncio.to_thread(world.engine.kill, NODE)
    yield
    await asyncio.to_thread(world.engine.revive)


@fault("a machine cut off from the network")
async def _network(world: EngineWorld) -> AsyncIterator[None]:
    await asyncio.to_thread(world.network_of, NODE, up=False)
    yield
    await asyncio.to_thread(world.network_of, NODE, up=True)


def _cable(name: str, mode: Mode) -> Steps:
    async def strike(world: EngineWorld) -> AsyncIterator[None]:
        wire = world.wires[name]
        wire.set(mode)
        yield
        wire.set("through")
        if mode == "silent":
            await wire.hang_up()

    return strike


fault("the engine's API away")(_cable("engine", "cut"))
fault("the engine's API does not answer")(_cable("engine", "silent"))


@fault("PostgreSQL stopped as by a power cut and started")
async def _postgresql(world: EngineWorld) -> AsyncIterator[None]:
    await asyncio.to_thread(world.postgresql.stop, "immediate")
    yield
    await asyncio.to_thread(world.postgresql.start)


@fault("Docker restarted on a machine", "swarm", ends=True)
async def _docker(world: EngineWorld) -> AsyncIterator[None]:
    await asyncio.to_thread(world.restart_docker, NODE)
    yield


@fault("kubelet killed and started again", "kubernetes")
async def _kubelet(world: EngineWorld) -> AsyncIterator[None]:
    await asyncio.to_thread(world.engine.on_node, NODE, "sh", "-c", 'kill -KILL "$(cat /engine/kubelet.pid)"')
    yield
    await asyncio.to_thread(world.engine.revive)

"""Each machine of a Swarm of three dies in turn under the stack: who notices, for how long, and what is lost.

Not collected by itself (it takes some ten minutes, and leaves the Swarm without its first manager). As root, on engines
that nobody else uses:

    ENGINES_RUN=/tmp/loss SWARM_NODES=3 python -m pytest -s -m engines tests/deploy/loss_of_machines.py
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from tests.support.engines_swarm import Swarm
from tests.support.swarm_people import Person
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1800), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackOnSwarm]:
    assert len(swarm.nodes) == 3, "SWARM_NODES=3"
    async with stack_on_swarm(swarm, tmp_path_factory.mktemp("stack"), everywhere=True) as made:
        made.manager("docker node promote node2 node3")
        made.all_run(600)
        yield made


class Watch:
    """Asks the hub each half second through Traefik, and adds up the seconds without an answer."""

    def __init__(self, stack: StackOnSwarm) -> None:
        self.stack, self.away, self.ended = stack, 0.0, threading.Event()

    def look(self) -> None:
        last = time.monotonic()
        while not self.ended.wait(0.5):
            with contextlib.suppress(httpx.HTTPError), self.stack.client() as client:
                if client.get("hub/health", timeout=10).status_code == 200:
                    last = time.monotonic()
                    continue
            self.away, last = self.away + time.monotonic() - last, time.monotonic()


@contextlib.contextmanager
def watched(stack: StackOnSwarm) -> Iterator[Watch]:
    watch = Watch(stack)
    thread = threading.Thread(target=watch.look)
    thread.start()
    try:
        yield watch
    finally:
        watch.ended.set()
        thread.join()


@contextlib.contextmanager
def only(stack: StackOnSwarm, node: str) -> Iterator[None]:
    """Let new servers come up on this machine; what runs elsewhere stays."""
    others = [name for name in stack.swarm.nodes if name != node and stack.swarm.state_of(name) == "ready"]
    for other in others:
        stack.manager(f"docker node update --availability pause {other}")
    try:
        yield
    finally:
        for other in others:
            stack.manager(f"docker node update --availability active {other}")


@pytest.mark.parametrize("node", ["node3", "node2"])
async def test_a_machine_with_somebodys_server_dies(stack: StackOnSwarm, node: str) -> None:
    """Her server goes with its memory; the hub goes on, comes to know it, and she starts again elsewhere."""
    async with Person(stack, "dwho") as person:
        await person.log_in()
        with only(stack, node):
            await person.start("pycoa")
        (service,) = stack.peoples_services()
        assert stack.swarm.node_of(service) == node
        with watched(stack) as watch:
            began = time.monotonic()
            stack.swarm.kill(node)
            async with asyncio.timeout(600):
                while await person.server_is_ready():
                    await asyncio.sleep(1)
            known = time.monotonic() - began
            await person.start("pycoa")
            again = time.monotonic() - began
            async with person.kernel() as kernel:
                assert await kernel.run("6 * 7") == "42"
        print(
            f"\n{node} died: 1 server of 1 on it lost; the hub knew after {known:.0f} s, she worked again after "
            f"{again:.0f} s; the hub was away for {watch.away:.0f} s"
        )
        await person.stop()
    stack.swarm.revive()
    stack.manager("docker node promote node2 node3")
    until(lambda: stack.swarm.state_of(node) == "ready", 120)


async def test_the_machine_with_the_database_dies(stack: StackOnSwarm) -> None:
    """As `docs/howto/restore.md` says: its address, the label and last night's dump go to another machine."""
    stamp = stack.dump_out()
    began = time.monotonic()
    stack.swarm.kill("node1")
    stack.head("node2")
    took = stack.restore(stamp)
    whole = time.monotonic() - began
    print(f"\nnode1 died: the hub was back on node2 after {whole:.0f} s ({took:.0f} s from the deploy on)")
    async with Person(stack, "dwho") as person:
        await person.log_in()
        await person.start("pycoa")
        async with person.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"

"""Each machine of a Swarm of three managers dies in turn under the stack: who notices, for how long, what is lost.

Homes are on storage that all machines have; the rest of what is kept stands on the machine with the label.
What is measured is printed (``pytest -s``): `docs/howto/lose.md` has the table.

Not collected by itself: it takes a quarter of an hour. As root:

    python -m pytest -s -m engines tests/deploy/loss_of_machines.py
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from jupytercloud_hub.spawners.base import slug
from tests.support.engine_people import Person
from tests.support.engines import RUN
from tests.support.engines_swarm import Swarm
from tests.support.lemonldap import ORGANIZATION
from tests.support.notebook_image import in_all_profiles, load_notebook_of_ours
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1700), pytest.mark.asyncio(loop_scope="module")]
HOMES = RUN / "swarm" / "shared" / "homes"


def on_shared_storage(settings: dict[str, Any]) -> None:
    """As an administrator says it whose machines all mount the same NFS export."""
    settings["spawner"]["swarm"]["home"] = {"type": "bind", "source": "/srv/shared/homes/{user}"}


def prepare(stack: StackOnSwarm) -> None:
    stack.settings(on_shared_storage)
    stack.settings(in_all_profiles)
    for account in ("dwho", "rtyler"):
        home = HOMES / slug(f"{account}@{ORGANIZATION}")
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o777)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackOnSwarm]:
    with swarm.of_managers(3):
        folder: Path = tmp_path_factory.mktemp("stack")
        load_notebook_of_ours(swarm, folder / "wheel")
        async with stack_on_swarm(swarm, folder, everywhere=True, prepare=prepare) as made:
            made.all_run(600)
            yield made
    shutil.rmtree(HOMES, ignore_errors=True)


def take_out(stack: StackOnSwarm, machine: str) -> None:
    """Until then, Swarm counts what ran there as running."""
    stack.manager(f"docker node demote {machine}")

    def removed() -> bool:
        with contextlib.suppress(RuntimeError):  # not yet demoted
            stack.manager(f"docker node rm --force {machine}")
        return stack.swarm.state_of(machine) == "removed"

    until(removed, 120, lambda: stack.manager("docker node ls"))


def leaders(stack: StackOnSwarm) -> str:
    with contextlib.suppress(RuntimeError):
        return stack.manager("docker node ls --format '{{.ManagerStatus}}'")
    return ""


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


@contextlib.asynccontextmanager
async def somebody_on(stack: StackOnSwarm, node: str, account: str) -> AsyncIterator[Person]:
    """A person whose server runs on this machine."""
    others = [name for name in stack.swarm.nodes if name != node and stack.swarm.state_of(name) == "ready"]
    async with Person(stack, account) as person:
        await person.log_in()
        before = set(stack.peoples_services())
        for other in others:
            stack.manager(f"docker node update --availability pause {other}")
        try:
            await person.start("pycoa")
        finally:
            for other in others:
                stack.manager(f"docker node update --availability active {other}")
        (service,) = set(stack.peoples_services()) - before
        assert stack.swarm.node_of(service) == node
        yield person


async def test_the_hub_with_all_that_it_needs_stands_on_the_one_machine_with_the_label(stack: StackOnSwarm) -> None:
    services = [service.name for service in stack.swarm.client.services.list()]
    everywhere = stack.service("node-exporter")
    assert {stack.swarm.node_of(name) for name in services if name != everywhere} == {stack.node}


@pytest.mark.parametrize("node", ["node3", "node2"])
async def test_a_machine_with_somebodys_server_dies(stack: StackOnSwarm, node: str) -> None:
    """Her server goes with its memory; nobody else notices, and she goes on with her files on another machine."""
    async with somebody_on(stack, "node1", "rtyler") as other, somebody_on(stack, node, "dwho") as person:
        async with person.kernel() as kernel:
            await kernel.run("open('/home/jovyan/saved', 'w').write('saved'); 1")
        async with other.kernel() as kernel:
            await kernel.run("kept = 1")
            with watched(stack) as watch:
                began = time.monotonic()
                stack.swarm.kill(node)
                async with asyncio.timeout(600):
                    while await person.server_is_ready():
                        await asyncio.sleep(1)
                known = time.monotonic() - began
                await person.start("pycoa")
                again = time.monotonic() - began
            assert await kernel.run("kept") == "1", "on the same websocket"
        async with person.kernel() as kernel:
            assert await kernel.run("open('/home/jovyan/saved').read()") == "'saved'"
        print(
            f"\n{node} died: 1 server lost, the hub knew after {known:.0f} s, she worked again after {again:.0f} s; "
            f"the hub did not answer for {watch.away:.0f} s"
        )
        await person.stop()
        await other.stop()
    stack.swarm.revive()
    stack.swarm.promote()
    until(lambda: stack.manager("docker node ls --format '{{.ManagerStatus}}'").count("Reachable") == 2, 120)


async def test_the_machine_with_the_label_dies(stack: StackOnSwarm) -> None:
    """As the docs say: its address, the label and the last dump go to another machine; servers elsewhere run on."""
    async with somebody_on(stack, "node1", "rtyler") as lost, somebody_on(stack, "node2", "dwho") as person:
        async with person.kernel() as kernel:
            await kernel.run("kept = 1")
        stamp = stack.dump_out()
        began = time.monotonic()
        stack.swarm.kill("node1")
        stack.stand_on("node2")
        take_out(stack, "node1")
        elected = time.monotonic() - began
        stack.restore(stamp)
        back = time.monotonic() - began
        assert await person.server_is_ready(), "and she is still logged in"
        async with person.kernel(kernel.number) as kernel:
            assert await kernel.run("kept") == "1", "what ran on other machines is hers again, with its memory"
        again = time.monotonic() - began
        async with asyncio.timeout(300):
            while await lost.server_is_ready():
                await asyncio.sleep(1)
        await lost.start("pycoa")
        started = time.monotonic() - began
        async with lost.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"
        await lost.stop()
        await person.stop()
    print(
        f"\nnode1 died: 1 server lost with the machine; address and label were elsewhere after {elected:.0f} s, the "
        f"hub answered after {back:.0f} s, a server that ran elsewhere was used again after {again:.0f} s, the lost "
        f"one started anew after {started:.0f} s"
    )


async def test_the_last_of_three_goes_on_once_it_is_told_that_it_is_alone(stack: StackOnSwarm) -> None:
    """Two of three managers lost: what runs goes on, and nobody can start anything."""
    left, address = stack.node, stack.swarm.address(stack.node)
    lost = [name for name in stack.swarm.nodes if name != left and stack.swarm.state_of(name) == "ready"]
    async with somebody_on(stack, left, "dwho") as person, person.kernel() as kernel:
        await kernel.run("kept = 1")
        for name in lost:
            stack.swarm.kill(name)
        until(lambda: "Leader" not in leaders(stack), 120)
        assert await kernel.run("kept") == "1"
        began = time.monotonic()
        stack.manager(f"docker swarm init --force-new-cluster --advertise-addr {address}")
        for name in lost:
            take_out(stack, name)
        alone = time.monotonic() - began
        stack.healthy()
        assert await kernel.run("kept") == "1", "on the same websocket"
        assert await person.server_is_ready()
        async with Person(stack, "rtyler") as other:
            await other.log_in()
            await other.start("pycoa")
            started = time.monotonic() - began
            async with other.kernel() as another:
                assert await another.run("6 * 7") == "42"
            await other.stop()
    print(f"\n{left} was left: it managed alone after {alone:.0f} s, somebody started a server after {started:.0f} s")

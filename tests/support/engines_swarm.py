"""A real Docker Swarm: `Swarm` and the fixture `swarm`."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from .engines import LIGHT, RUN, node_process, script, up
from .namespaces import network_of


class Swarm:
    """A Swarm's manager, and its nodes where the tests brought them up.

    ``host`` is the manager's DOCKER_HOST, ``client`` a docker-py client of it, ``nodes`` the host names (the manager's
    first), ``own`` whether the tests brought it up: only then can a container on another node be entered, a node be
    killed and this process stand in an overlay; tests that need that are skipped elsewhere, with the reason.
    """

    def __init__(self, host: str, *, own: bool) -> None:
        self.host, self.own = host, own
        self._look()

    def _look(self) -> None:
        self.client = docker.DockerClient(base_url=self.host, version="auto")
        nodes = sorted(self.client.nodes.list(), key=lambda n: n.attrs["Spec"]["Role"] != "manager")
        self.nodes = [node.attrs["Description"]["Hostname"] for node in nodes]
        self._ids = {node.id: node.attrs["Description"]["Hostname"] for node in nodes}
        self._clients = {self.nodes[0]: self.client}

    def client_of(self, node: str) -> docker.DockerClient:
        """Return a client of one node's own daemon."""
        if node not in self._clients:
            self.need_own("a client of every node")
            socket = RUN / "swarm" / node / "engine" / "docker.sock"
            self._clients[node] = docker.DockerClient(base_url=f"unix://{socket}", version="auto")
        return self._clients[node]

    def need_own(self, what: str) -> None:
        """Skip the test where the Swarm is somebody else's."""
        if not self.own:
            pytest.skip(f"{what} needs the Swarm that the tests bring up (DOCKER_HOST is set)")

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _status(self, node: str) -> dict[str, str]:
        found = [n for n in self.client.nodes.list() if n.attrs["Description"]["Hostname"] == node]
        newest = max(found, key=lambda n: n.attrs["CreatedAt"], default=None)
        return newest.attrs["Status"] if newest else {"State": "removed"}

    def address(self, node: str) -> str:
        """Return a node's address, at which its host-mode ports are reached from here."""
        return self._status(node)["Addr"]

    def state_of(self, node: str) -> str:
        """Return what the manager thinks of a node: ready, down, unknown, or removed."""
        return self._status(node)["State"]

    def gateway(self) -> str:
        """Return the address of this machine that the nodes reach."""
        self.need_own("an address of this machine")
        return self.address(self.nodes[0]).rpartition(".")[0] + ".1"

    def task(self, service: str, *, state: str | None = "running", timeout: float = 30) -> dict[str, Any]:
        """Return a service's newest task, once it is in that state."""
        end = time.monotonic() + timeout
        while True:
            tasks = self.client.api.tasks({"service": service})
            newest = max(tasks, key=lambda task: task["CreatedAt"], default=None)
            if newest and state in (None, newest["Status"]["State"]):
                return newest
            if time.monotonic() > end:
                raise TimeoutError(f"{service}: {newest and newest['Status']}, not {state}")
            time.sleep(0.1)

    def node_of(self, service: str) -> str:
        """Return the name of the node that runs a service."""
        return self._ids[self.task(service)["NodeID"]]

    def exec(self, service: str, *command: str, user: str = "") -> str:
        """Run a command in a service's container, on whatever node, and return what it writes."""
        container = self.task(service)["Status"]["ContainerStatus"]["ContainerID"]
        client = self.client_of(self.node_of(service))
        code, output = client.containers.get(container).exec_run(list(command), user=user)
        if code:
            raise RuntimeError(f"{' '.join(command)} in {service} ended with {code}: {output.decode()}")
        return output.decode()

    def on_node(self, node: str, *command: str, check: bool = True) -> str:
        """Run a command on a node itself (not in a container)."""
        self.need_own("a command on a node")
        return script("swarm.sh", "run", node.removeprefix("node"), *command, check=check).stdout

    def kill(self, node: str) -> None:
        """Let a node die as by a power cut; `revive` makes a new one of its name."""
        self.need_own("killing a node")
        script("swarm.sh", "kill", node.removeprefix("node"))

    def revive(self) -> None:
        """Bring up the nodes that died; the dead ones are removed from the Swarm."""
        script("swarm.sh", "up")
        self._ids = {n.id: n.attrs["Description"]["Hostname"] for n in self.client.nodes.list()}
        for node in list(self._clients):
            if node != self.nodes[0]:
                self._clients.pop(node).close()

    @contextmanager
    def of_managers(self, machines: int) -> Iterator[None]:
        """Have that many machines, all of them managers; afterwards the Swarm is made anew, whatever died of it."""
        self.need_own("a Swarm of managers")
        before, usual = os.environ.get("SWARM_NODES"), list(self.nodes)
        os.environ["SWARM_NODES"] = str(machines)
        try:
            self.revive()
            self.close()
            self._look()
            self.promote()
            yield
        finally:
            os.environ.pop("SWARM_NODES") if before is None else os.environ.update(SWARM_NODES=before)
            for node in self.nodes:
                self.on_node(
                    node, "docker", "-H", "unix:///engine/docker.sock", "swarm", "leave", "--force", check=False
                )
                if node not in usual:
                    self.kill(node)
                    shutil.rmtree(RUN / "swarm" / node)
            script("swarm.sh", "up")
            self.close()
            self._look()

    def promote(self) -> None:
        """Make managers of all machines."""
        for node in self.client.nodes.list():
            if node.attrs["Spec"]["Role"] != "manager" and node.attrs["Status"]["State"] == "ready":
                node.update({**node.attrs["Spec"], "Role": "manager"})

    @contextmanager
    def network(self, subnet: str = "") -> Iterator[str]:
        """Make an attachable overlay network; afterwards it goes, with the services and containers on it."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        ipam = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)]) if subnet else None
        self.client.networks.create(name, driver="overlay", attachable=True, ipam=ipam)
        try:
            yield name
        finally:
            self.empty(name)
            _retry(self.client.networks.get(name).remove)

    def empty(self, network: str, timeout: float = 170) -> None:
        """Remove the services on a network, and wait until their containers are gone."""
        ours = (network, self.client.networks.get(network).id)
        found = []
        for service in self.client.services.list():
            wanted = service.attrs["Spec"]["TaskTemplate"].get("Networks") or []
            if any(entry["Target"] in ours for entry in wanted):
                found.append(service.name)
                service.remove()
        end = time.monotonic() + timeout
        for node in self.nodes if found and self.own else ():
            while any(
                container.labels.get("com.docker.swarm.service.name") in found
                for container in self.client_of(node).containers.list(all=True, ignore_removed=True)
            ):
                if time.monotonic() > end:
                    raise TimeoutError(f"containers of services on {network} do not end")
                time.sleep(0.5)

    @contextmanager
    def inside(self, network: str, alias: str = "hub") -> Iterator[str]:
        """Stand in an overlay network with this thread, and yield the own address there.

        A hub that is started here listens on that address, reaches servers by their services' names, and tasks reach
        it as ``alias``. Loopback is the container's own: what listens on 127.0.0.1 outside is not reached.
        """
        self.need_own("a hub in the overlay")
        holder = self.client.containers.create(
            LIGHT,
            network=network,
            networking_config={network: self.client.api.create_endpoint_config(aliases=[alias])},
            environment={"JUPYTERHUB_SERVICE_URL": "http://holder:9/"},
        )
        try:
            holder.start()
            holder.reload()
            address = holder.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
            node = Path(f"/proc/{node_process('swarm', 1)}/root/proc")
            with network_of(node / str(holder.attrs["State"]["Pid"]) / "ns" / "net", resolver="127.0.0.11"):
                yield address
        finally:
            holder.remove(force=True)

    def remove(self, *services: str) -> None:
        """Remove services that may be there."""
        for service in self.client.services.list():
            if service.name in services:
                service.remove()


def _retry(action: Any, timeout: float = 30) -> None:
    """Repeat what Docker refuses while tasks still end."""
    end = time.monotonic() + timeout
    while True:
        try:
            return action()
        except docker.errors.NotFound:
            return None
        except docker.errors.APIError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


@pytest.fixture(scope="session")
def swarm() -> Iterator[Swarm]:
    """A real Swarm: of DOCKER_HOST (a manager that holds the test images), or two nodes brought up for this run."""
    given = os.environ.get("DOCKER_HOST")
    if given:
        handle = Swarm(given, own=False)
        yield handle
        handle.close()
        return
    with up("swarm"):
        handle = Swarm(f"unix://{RUN}/swarm/node1/engine/docker.sock", own=True)
        yield handle
        handle.close()

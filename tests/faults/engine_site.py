"""A site on a real engine: the hub's ways to the engine and to its database are cables, its ledger is on PostgreSQL.

What runs is seen past the cables, by an administrator's client of the engine.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.spawners.sites import PEOPLE
from tests.spawners.sites_engines import KubernetesSite, SwarmSite, kubernetes_hub, swarm_hub
from tests.support.engines import RUN
from tests.support.engines_kubernetes import Kubernetes
from tests.support.engines_swarm import Swarm
from tests.support.ports import free_ports
from tests.support.postgresql import Postgresql

from .wire import Wire

HEARTBEAT = 2.0
QUOTAS = {"heartbeat": f"{HEARTBEAT:g} s", "budgets": [{"name": "all", "limits": [{"window": "month", "units": 4000}]}]}


@dataclass
class EngineWorld:
    """A hub on an engine, and what its faults need. ``wires``: ``engine``, ``postgresql``."""

    site: SwarmSite | KubernetesSite
    engine: Swarm | Kubernetes
    postgresql: Postgresql
    ledger: str
    """The database's address, past the cable."""
    wires: dict[str, Wire]
    words: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in PEOPLE})
    """What each person kept in her home, in order."""

    @property
    def group(self) -> str:
        return self.site.backend

    def network_of(self, node: str, *, up: bool) -> None:
        """Pull or plug a node's cable at the switch."""
        switch = (RUN / self.group / "switch.pid").read_text().split()[0]
        port = f"n{node.removeprefix('node')}"
        command = ["nsenter", "--target", switch, "--net", "ip", "link", "set", port, "up" if up else "down"]
        subprocess.run(command, check=True, timeout=20)

    def restart_docker(self, node: str) -> None:
        """Restart a node's dockerd as ``systemctl restart docker`` does, with what it was started with."""
        self.engine.on_node(node, "sh", "-c", RESTART)

    def intervals(self) -> list[tuple[str, int, int, int | None]]:
        """Return the ledger: person, beginning, what is counted, end."""
        query = b'SELECT "user", begin_s, counted_s, ended_s FROM quotas_interval WHERE state IN (%s, %s) ORDER BY id'
        with psycopg.connect(self.ledger) as connection:
            return list(connection.execute(query, ("running", "closed")).fetchall())


RESTART = r"""
set -eu
pid=$(cat /run/docker.pid)
tr '\0' '\n' </proc/$pid/cmdline >/run/dockerd.words
kill -TERM $pid
while kill -0 $pid 2>/dev/null; do sleep 0.1; done
setsid --fork xargs -a /run/dockerd.words -d '\n' env </dev/null >>/engine/dockerd.log 2>&1
until docker -H unix:///engine/docker.sock info >/dev/null 2>&1; do sleep 0.2; done
iptables -w -P FORWARD ACCEPT
"""


@asynccontextmanager
async def running(engine: Swarm | Kubernetes, folder: Path) -> AsyncIterator[EngineWorld]:
    """Run the hub, its cables and its PostgreSQL."""
    async with AsyncExitStack() as stack:
        postgresql = stack.enter_context(Postgresql.running())
        database = stack.enter_context(postgresql.database())
        address = make_url(database)
        to_engine, to_postgresql = free_ports(2)
        wires = {
            "engine": Wire(to_engine, _target(engine)),
            "postgresql": Wire(to_postgresql, address.port or 5432),
        }
        for wire in wires.values():
            await wire.start()
            stack.push_async_callback(wire.stop)
        url = address.set(port=to_postgresql).render_as_string(hide_password=False)
        more: dict[str, Any] = {"quotas": QUOTAS, "database": {"url": url}}
        if isinstance(engine, Swarm):
            made: Any = swarm_hub(
                engine, folder, name=f"faults-swarm-{os.getpid()}", host=f"tcp://127.0.0.1:{to_engine}", more=more
            )
        else:
            made = kubernetes_hub(engine, folder, name=f"faults-kubernetes-{os.getpid()}", port=to_engine, more=more)
        site = await asyncio.to_thread(made.__enter__)  # the cables are this thread's
        try:
            yield EngineWorld(site, engine, postgresql, database.replace("+psycopg", ""), wires)
        finally:
            await asyncio.to_thread(made.__exit__, None, None, None)


def _target(engine: Swarm | Kubernetes) -> str:
    if isinstance(engine, Swarm):
        return engine.host.removeprefix("unix://")
    address = engine.get("node", engine.nodes[0])["status"]["addresses"][0]["address"]
    return f"{address}:6443"

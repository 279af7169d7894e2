"""What ``jupytercloud check`` finds at a Swarm: the manager, the network, machines for each class and type of GPU."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from ..contracts.finding import Finding
from ..contracts.text import Text
from ..settings.spawner import SpawnerSettings

AREA = "spawner"
SECONDS = 4
_CONSTRAINT = re.compile(r"([\w.-]+) ?(==|!=) ?(.+)")


async def look(spawner: SpawnerSettings) -> list[Finding]:
    """Return what is found at the manager that ``DOCKER_HOST`` names; nothing is changed."""
    try:
        return await asyncio.to_thread(_look, spawner)
    except (DockerException, RequestException) as error:
        what = Text("the Swarm's manager does not answer: {error}", error=str(error)[:200])
        mend = Text("Set DOCKER_HOST for the hub and for this command, or mount the manager's socket.")
        return [Finding(AREA, "error", what, mend, Text("nobody can start a server"))]


def _look(spawner: SpawnerSettings) -> list[Finding]:
    client = docker.APIClient(base_url=os.environ.get("DOCKER_HOST"), version="auto", timeout=SECONDS)
    try:
        if not ((client.info().get("Swarm") or {}).get("ControlAvailable")):
            mend = Text("Let DOCKER_HOST name a manager: `docker node ls` works there.")
            return [Finding(AREA, "error", Text("this Docker engine is not a manager of a Swarm"), mend)]
        nodes = [node for node in client.nodes() if (node.get("Status") or {}).get("State") == "ready"]
        found = [Finding(AREA, "ok", Text("the Swarm has {count} machines that are ready", count=len(nodes)))]
        swarm = spawner.swarm
        if swarm and swarm.network:
            found += _network(client.networks(names=[swarm.network]), swarm.network)
        return found + _placement(spawner, nodes)
    finally:
        client.close()


def _network(networks: Iterable[Mapping[str, Any]], name: str) -> list[Finding]:
    found = [network for network in networks if network.get("Name") == name]
    if not found:
        mend = Text("docker network create --driver overlay --attachable {name}", name=name)
        return [Finding(AREA, "error", Text("the Swarm has no network {name}", name=name), mend)]
    if found[0].get("Scope") != "swarm":
        mend = Text("Make it anew with --driver overlay, or take reach: host-port.")
        return [Finding(AREA, "error", Text("the network {name} is not the Swarm's", name=name), mend)]
    return []


def _placement(spawner: SpawnerSettings, nodes: list[Mapping[str, Any]]) -> list[Finding]:
    wanted = {name: kind.swarm for name, kind in spawner.node_classes.items()}
    found = [
        Finding(
            AREA,
            "warning",
            Text("no machine of the Swarm is of the class {name}", name=name),
            Text("Label one (docker node update --label-add …), or take the class out of spawner.node_classes."),
            Text("its profiles wait for a machine until they give up"),
        )
        for name, constraints in wanted.items()
        if not any(fits(node, constraints) for node in nodes)
    ]
    for name, gpu in spawner.gpus.items():
        having = [node for node in nodes if fits(node, gpu.swarm.constraints)]
        most = max((generic(node, gpu.swarm.resource) for node in having), default=0)
        if most < gpu.most:
            what = Text(
                "no machine of the Swarm has {count} × GPU {type}; the most is {most}",
                count=gpu.most,
                type=name,
                most=most,
            )
            mend = Text("Name them to the engine (node-generic-resources in daemon.json), or lower spawner.gpus.")
            found.append(Finding(AREA, "warning", what, mend))
    return found


def fits(node: Mapping[str, Any], constraints: Iterable[str]) -> bool:
    """Return whether a node of Docker's API meets placement constraints; those we cannot read count as met."""
    spec, description = node.get("Spec") or {}, node.get("Description") or {}
    known = {
        "node.id": node.get("ID"),
        "node.hostname": description.get("Hostname"),
        "node.role": spec.get("Role"),
        **{f"node.labels.{key}": value for key, value in (spec.get("Labels") or {}).items()},
        **{f"engine.labels.{key}": v for key, v in ((description.get("Engine") or {}).get("Labels") or {}).items()},
    }
    for constraint in constraints:
        match = _CONSTRAINT.fullmatch(constraint.strip())
        if match and (known.get(match[1]) == match[3].strip()) is not (match[2] == "=="):
            return False
    return True


def generic(node: Mapping[str, Any], resource: str) -> int:
    """Return how many of a generic resource a node has, whether it counts them or names each."""
    count = 0
    for entry in ((node.get("Description") or {}).get("Resources") or {}).get("GenericResources") or []:
        discrete, named = entry.get("DiscreteResourceSpec") or {}, entry.get("NamedResourceSpec") or {}
        if discrete.get("Kind") == resource:
            count += int(discrete.get("Value") or 0)
        if named.get("Kind") == resource:
            count += 1
    return count

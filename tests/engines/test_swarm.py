"""The Swarm that tests run on is a real one: several nodes, an overlay, a CVMFS that wants propagation.

Limits, GPUs, homes, real notebooks and a node that dies: ``tests/spawners/test_contract.py`` and its neighbours.
"""

import socket
import urllib.request
from collections.abc import Iterator

import pytest
from docker.types import EndpointSpec, Mount, RestartPolicy

from tests.support.engines import LIGHT
from tests.support.engines_cvmfs import cvmfs, mounted
from tests.support.engines_swarm import Swarm

pytestmark = pytest.mark.engines
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def network(swarm: Swarm) -> Iterator[str]:
    with swarm.network() as name:
        yield name


def start(swarm: Swarm, name: str, network: str | None, image: str = LIGHT, **options: object) -> str:
    """Start a service of one task as a spawner does: no virtual address, no restarts."""
    options.setdefault("endpoint_spec", EndpointSpec(mode="dnsrr"))
    options.setdefault("restart_policy", RestartPolicy("none"))
    swarm.client.services.create(image, name=name, networks=[network] if network else None, **options)
    return name


def test_a_service_runs_on_the_second_node_and_is_reached_by_name_over_the_overlay(swarm: Swarm, network: str) -> None:
    assert len(swarm.nodes) >= 2
    name = start(swarm, "far", network, constraints=[f"node.hostname=={swarm.nodes[1]}"])
    assert swarm.node_of(name) == swarm.nodes[1]
    with swarm.inside(network) as address:
        body = DIRECT.open("http://far:8888/user/x/api", timeout=10).read().decode()
        assert '"uid": 1000' in body
        assert swarm.exec(name, "wget", "-qO-", f"http://{address}:9/").startswith('{"environment"')
        assert swarm.exec(name, "nslookup", "hub").count(address) == 1
    with pytest.raises(OSError, match=r"Name or service|Temporary failure|No address"):
        socket.getaddrinfo("far", 8888)


def test_a_repository_that_is_mounted_after_the_start_is_seen_through_rslave(swarm: Swarm) -> None:
    swarm.need_own("/cvmfs on the nodes")
    far = [f"node.hostname=={swarm.nodes[1]}"]
    try:
        with cvmfs("swarm"):
            slave = Mount("/cvmfs", "/cvmfs", type="bind", read_only=True, propagation="rslave")
            start(swarm, "sees", None, mounts=[slave], constraints=far)
            start(swarm, "blind", None, mounts=[Mount("/cvmfs", "/cvmfs", type="bind")], constraints=far)
            swarm.task("blind")
            swarm.task("sees")
            assert mounted("swarm", swarm.nodes[1]) == []
            assert swarm.exec("sees", "cat", "/cvmfs/sft.cern.ch/NAME").strip() == "sft.cern.ch"
            assert mounted("swarm", swarm.nodes[1]) == ["sft.cern.ch"]
            with pytest.raises(RuntimeError, match="Too many levels of symbolic links"):
                swarm.exec("blind", "cat", "/cvmfs/lpnhe.in2p3.fr/NAME")
    finally:
        swarm.remove("sees", "blind")

"""The Swarm that tests run on is a real one: several nodes, an overlay, limits, a GPU to be scheduled on."""

import socket
import time
import urllib.request
from collections.abc import Iterator

import pytest
from docker.types import EndpointSpec, Mount, Resources, RestartPolicy

from tests.support.engines import LIGHT, NOTEBOOK
from tests.support.engines_cvmfs import cvmfs, mounted
from tests.support.engines_swarm import Swarm

pytestmark = pytest.mark.engines
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
MB = 1 << 20


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


def test_a_gpu_is_given_once_and_the_next_one_waits(swarm: Swarm) -> None:
    # First and without a network: Swarm rejects the task that holds a node's last generic resource whenever the node
    # changes, as it does when a network comes or goes (a condition the wrong way round in swarmkit's enforcer).
    gpu = Resources(generic_resources={"GPU": 1})
    try:
        start(swarm, "first", None, resources=gpu)
        assert swarm.node_of("first") == "node2"
        start(swarm, "second", None, resources=gpu)
        end = time.monotonic() + 20
        while "insufficient resources" not in swarm.task("second", state="pending")["Status"].get("Err", ""):
            assert time.monotonic() < end
            time.sleep(0.2)
    finally:
        swarm.remove("first", "second")


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


def test_limits_are_the_kernels(swarm: Swarm, network: str) -> None:
    name = start(swarm, "small", network, resources=Resources(cpu_limit=500_000_000, mem_limit=64 * MB))
    limits = swarm.exec(
        name, "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us "
        "|| cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max"
    ).split()  # fmt: skip
    assert limits[0] == str(64 * MB)
    assert limits[1] == "50000"


def test_a_port_in_host_mode_is_reached_from_this_machine(swarm: Swarm, network: str) -> None:
    spec = EndpointSpec(mode="dnsrr", ports={None: (8888, "tcp", "host")})
    start(swarm, "open", network, endpoint_spec=spec)
    task = swarm.task("open")
    port = task["Status"]["PortStatus"]["Ports"][0]["PublishedPort"]
    body = DIRECT.open(f"http://{swarm.address(swarm.node_of('open'))}:{port}/", timeout=10).read()
    assert b"folder" in body


def test_the_shared_folder_is_one_on_all_nodes(swarm: Swarm, network: str) -> None:
    for number, node in enumerate(swarm.nodes):
        start(swarm, f"writer-{number}", network, mounts=["/srv/shared:/shared:rw"], user="0",
              constraints=[f"node.hostname=={node}"])  # fmt: skip
        swarm.exec(f"writer-{number}", "sh", "-c", f"echo {node} >>/shared/seen")
    assert swarm.exec("writer-0", "cat", "/shared/seen").split() == swarm.nodes
    swarm.exec("writer-0", "rm", "/shared/seen")


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


def test_the_notebook_image_holds_a_single_user_server(swarm: Swarm, network: str) -> None:
    start(swarm, "notebook", network, NOTEBOOK, args=["sleep", "60"])
    assert swarm.exec("notebook", "jupyterhub-singleuser", "--version").strip()
    assert swarm.exec("notebook", "id", "-u").strip() == "1000"


def test_a_node_that_is_killed_is_reported_and_comes_back(swarm: Swarm, network: str) -> None:
    start(swarm, "doomed", network, constraints=["node.hostname==node2"])
    swarm.task("doomed")
    swarm.kill("node2")
    end = time.monotonic() + 60
    while swarm.state_of("node2") != "down":
        assert time.monotonic() < end
        time.sleep(0.5)
    swarm.revive()
    swarm.client.services.get("doomed").remove()
    start(swarm, "again", network, constraints=["node.hostname==node2"])
    assert swarm.exec("again", "id", "-u").strip() == "1000"

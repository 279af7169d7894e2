"""The cluster that tests run on is a real one: nodes, limits, quotas, rights, a CVMFS that wants propagation.

GPUs, homes, real notebooks and a node that dies: ``tests/spawners/test_contract.py`` and its neighbours.
"""

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster_dns import cluster_dns
from tests.support.engines import LIGHT
from tests.support.engines_cvmfs import cvmfs, mounted
from tests.support.engines_kubernetes import Kubernetes, Object

pytestmark = pytest.mark.engines
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def pod(name: str, image: str = LIGHT, node: str | None = None, volumes: Any = (), **container: Any) -> Object:
    """A pod of one container; ``volumes`` are (name, source, path[, propagation])."""
    mounts = [{"name": v[0], "mountPath": v[2], **({"mountPropagation": v[3]} if v[3:] else {})} for v in volumes]
    spec: Object = {
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": volume[0], **volume[1]} for volume in volumes],
        "containers": [
            {"name": "c", "image": image, "imagePullPolicy": "IfNotPresent", "volumeMounts": mounts, **container}
        ],
    }
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def running(found: Object) -> bool:
    return found["status"]["phase"] == "Running"


def test_pods_of_both_nodes_answer_to_this_machine_and_to_each_other(kubernetes: Kubernetes, namespace: str) -> None:
    first, second = kubernetes.nodes[:2]
    kubernetes.apply(pod("one", node=first), pod("two", node=second), namespace=namespace)
    addresses = {}
    for name, node in (("one", first), ("two", second)):
        found = kubernetes.wait(namespace, name, running)
        assert found["spec"]["nodeName"] == node
        addresses[name] = found["status"]["podIP"]
        assert b'"uid": 1000' in DIRECT.open(f"http://{addresses[name]}:8888/user/x/api", timeout=5).read()
    assert "folder" in kubernetes.exec(namespace, "one", "wget", "-qO-", f"http://{addresses['two']}:8888/")
    kubernetes.kubectl("expose", "pod", "two", "--port=80", "--target-port=8888", "-n", namespace)
    service = kubernetes.get("service", "two", namespace=namespace)["spec"]["clusterIP"]
    assert "folder" in kubernetes.exec(namespace, "one", "wget", "-qO-", f"http://{service}/")
    with cluster_dns(kubernetes):
        for name in ("two", f"two.{namespace}", f"two.{namespace}.svc.cluster.local"):
            assert "folder" in kubernetes.exec(namespace, "one", "wget", "-qO-", f"http://{name}/")


def test_limits_are_the_kernels_and_too_much_memory_ends_the_container(kubernetes: Kubernetes, namespace: str) -> None:
    limits = {"limits": {"memory": "32Mi", "cpu": "500m"}}
    greedy = pod("greedy", command=["tail", "/dev/zero"], resources=limits)
    kubernetes.apply(pod("small", resources=limits), greedy, namespace=namespace)
    kubernetes.wait(namespace, "small", running)
    paths = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    read = kubernetes.exec(namespace, "small", "cat", *paths).split()
    assert read == [str(32 << 20), "50000"]

    def killed(found: Object) -> bool:
        states = [status["state"] | status["lastState"] for status in found["status"].get("containerStatuses", [])]
        return any(state.get("terminated", {}).get("reason") == "OOMKilled" for state in states)

    kubernetes.wait(namespace, "greedy", killed)


def test_a_quota_refuses_and_a_service_account_may_do_just_what_its_role_says(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    hub = Kubernetes.__new__(Kubernetes)
    hub.kubeconfig, hub.program = kubernetes.account(namespace, tmp_path), kubernetes.program
    kubernetes.quota(namespace, pods="1", requests_memory="1Gi")
    request = {"requests": {"memory": "64Mi"}}
    hub.apply(pod("mine", resources=request))
    with pytest.raises(RuntimeError, match="exceeded quota: limit, requested: pods=1"):
        hub.apply(pod("more", resources=request))
    with pytest.raises(RuntimeError, match="must specify"):
        hub.apply(pod("none"))
    for forbidden in (("get", "nodes"), ("get", "pods", "-n", "default"), ("create", "configmap", "x")):
        with pytest.raises(RuntimeError, match=r"(?i)forbidden"):
            hub.kubectl(*forbidden)


def test_a_repository_that_is_mounted_after_the_start_is_seen_through_host_to_container(
    kubernetes: Kubernetes, namespace: str
) -> None:
    kubernetes.need_own("/cvmfs on the nodes")
    node = kubernetes.nodes[-1]
    volume = ("cvmfs", {"hostPath": {"path": "/cvmfs"}}, "/cvmfs")
    with cvmfs("kubernetes"):
        kubernetes.apply(
            pod("sees", node=node, volumes=[(*volume, "HostToContainer")]),
            pod("blind", node=node, volumes=[volume]),
            namespace=namespace,
        )
        for name in ("sees", "blind"):
            kubernetes.wait(namespace, name, running)
        assert mounted("kubernetes", node) == []
        assert kubernetes.exec(namespace, "sees", "cat", "/cvmfs/sft.cern.ch/NAME").strip() == "sft.cern.ch"
        assert mounted("kubernetes", node) == ["sft.cern.ch"]
        with pytest.raises(RuntimeError, match="Too many levels of symbolic links"):
            kubernetes.exec(namespace, "blind", "cat", "/cvmfs/lpnhe.in2p3.fr/NAME")

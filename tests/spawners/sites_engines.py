"""The same site on the tests' own engines: a Swarm and a cluster of two machines each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from jupytercloud_hub.spawners.base import slug
from tests.support import ROOT
from tests.support.engines import RUN
from tests.support.engines_cvmfs import mounted
from tests.support.engines_kubernetes import Kubernetes
from tests.support.engines_swarm import Swarm

from .catalogue import SHARED
from .sites import Site, running, until


class SwarmSite(Site):
    """Services of the tests' Swarm; the hub is a process of this machine."""

    backend = "swarm"
    swarm: Swarm

    def held(self) -> dict[str, str]:
        label = f"jupytercloud.hub/hub={slug(self.name)}"
        found = self.swarm.client.api.services(filters={"label": label})
        return {service["Spec"]["Labels"]["jupytercloud.hub/user"]: service["ID"] for service in found}

    def service(self, name: str) -> Any:
        return self.swarm.client.api.inspect_service(self.held()[name])

    def inside(self, name: str, command: str) -> str:
        return self.swarm.exec(self.service(name)["Spec"]["Name"], "sh", "-c", f"({command}) 2>&1 || true")

    def node(self, name: str) -> str:
        return self.swarm.node_of(self.service(name)["Spec"]["Name"])


class KubernetesSite(Site):
    """Pods of the tests' cluster; the hub is a process of this machine, with the smallest role."""

    backend = "kubernetes"
    cluster: Kubernetes
    namespace: str

    def pods(self, **labels: str) -> list[dict[str, Any]]:
        wanted = ",".join(f"{key}={value}" for key, value in {"component": "singleuser-server", **labels}.items())
        return self.cluster.get("pods", "-l", wanted, namespace=self.namespace)["items"]

    def pod(self, name: str) -> dict[str, Any]:
        (found,) = self.pods(**{"jupytercloud.hub/user": name})
        return found

    def hurry(self, names: Sequence[str]) -> None:
        # a kubelet of 1.20 looks every ten seconds, sometimes only after a minute, whether an ended pod may go
        def still_there() -> list[dict[str, Any]]:
            pods = [pod["metadata"] for pod in self.pods()]
            return [pod for pod in pods if pod["labels"]["jupytercloud.hub/user"] in names]

        def all_asked_to_go() -> bool:
            return all("deletionTimestamp" in pod for pod in still_there())  # those that went by themselves are no more

        until(all_asked_to_go, what=lambda: [(pod["name"], "deletionTimestamp" in pod) for pod in still_there()])
        pods = [pod["name"] for pod in still_there()]
        if pods:
            self.cluster.kubectl(
                *("delete", "pod", *pods, "-n", self.namespace),
                *("--grace-period=0", "--force", "--ignore-not-found", "--wait=false"),
                check=False,
            )

    def held(self) -> dict[str, str]:
        return {pod["metadata"]["labels"]["jupytercloud.hub/user"]: pod["metadata"]["uid"] for pod in self.pods()}

    def inside(self, name: str, command: str) -> str:
        pod = self.pod(name)["metadata"]["name"]
        return self.cluster.exec(self.namespace, pod, "sh", "-c", f"({command}) 2>&1 || true")

    def node(self, name: str) -> str:
        return self.pod(name)["spec"]["nodeName"]

    def gpu(self) -> Any:
        return self.cluster.gpus("node2")

    def images_operator(self) -> dict[str, str]:
        shipped = (ROOT / "config" / "kubernetes" / "images-role.yaml").read_text()
        rules = YAML(typ="safe").load(shipped)["rules"]
        return {"KUBECONFIG": str(self.cluster.account(self.namespace, self.hub.folder, rules, name="images"))}


def shared_folders(group: str, site: str) -> dict[str, Any]:
    """Make the shared data and the folder of homes as an administrator does; return how the hub makes each home."""
    shared = RUN / group / "shared"
    (shared / site / "homes").mkdir(parents=True)
    (shared / "data").mkdir(exist_ok=True)
    (shared / "data" / "read-me").write_text("shared")
    return {"path": f"{shared}/{site}/homes/{{user}}", "uid": 1000, "gid": 0, "mode": "0770"}


@contextmanager
def swarm_hub(
    swarm: Swarm, folder: Path, *, name: str = "", host: str = "", more: Mapping[str, Any] | None = None
) -> Iterator[SwarmSite]:
    """Run a hub on the Swarm; ``host``: the manager's address for the hub, where that is not the manager's own."""
    swarm.need_own("a folder that the nodes and this machine share")
    name = name or f"swarm-{os.getpid()}"
    home = {"type": "bind", "source": f"{SHARED}/{name}/homes/{{user}}", "made": shared_folders("swarm", name)}
    section = {"swarm": {"reach": "host-port", "home": home}}
    site = SwarmSite(folder, section, swarm.gateway(), name=name, more=more)
    site.swarm, site.environment = swarm, {"DOCKER_HOST": host or swarm.host}
    try:
        with running(site):
            yield site
    finally:
        for service in site.held().values():
            swarm.client.api.remove_service(service)


@pytest.fixture(scope="session")
def swarm_site(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmSite]:
    with swarm_hub(swarm, tmp_path_factory.mktemp("swarm")) as site:
        yield site


@contextmanager
def kubernetes_hub(
    kubernetes: Kubernetes, folder: Path, *, name: str = "", port: int = 0, more: Mapping[str, Any] | None = None
) -> Iterator[KubernetesSite]:
    """Run a hub on the cluster; ``port``: one of this machine by which the hub reaches the API server."""
    kubernetes.need_own("a hub on this machine that pods reach")
    name = name or f"kubernetes-{os.getpid()}"
    made = shared_folders("kubernetes", name)
    made["path"] = made["path"].replace("{user}", "{safe_username}")
    with kubernetes.namespace() as namespace:
        section = {
            "kubernetes": {
                "namespace": namespace,
                "home": {"claim": "homes", "sub_path": "homes/{safe_username}", "made": made},
                "home_moves": True,
            }
        }
        site = KubernetesSite(folder, section, kubernetes.gateway(), name=name, more=more)
        site.cluster, site.namespace = kubernetes, namespace
        account = kubernetes.account(namespace, folder)
        if port:
            account.write_text(re.sub(r"https://[\d.]+:\d+", f"https://127.0.0.1:{port}", account.read_text()))
        site.environment = {"KUBECONFIG": str(account)}
        volume = f"homes-{namespace}"
        common = {"accessModes": ["ReadWriteMany"], "storageClassName": namespace}
        kubernetes.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": {
                    **common,
                    "capacity": {"storage": "1Gi"},
                    "hostPath": {"path": f"{SHARED}/{site.name}"},
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "homes", "namespace": namespace},
                "spec": {**common, "resources": {"requests": {"storage": "1Gi"}}},
            },
        )
        try:
            with running(site):
                yield site
        finally:
            kubernetes.kubectl("delete", "pv", volume, "--wait=false", check=False)


@pytest.fixture(scope="session")
def kubernetes_site(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesSite]:
    with kubernetes_hub(kubernetes, tmp_path_factory.mktemp("kubernetes")) as site:
        yield site


def repositories(site: Site, node: str) -> list[str]:
    """Return the CVMFS repositories that a machine of the site has mounted now."""
    return mounted(site.backend, node)

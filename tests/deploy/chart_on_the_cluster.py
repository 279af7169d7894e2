"""The real chart with a site's values, rendered and applied to the tests' cluster: the hub, its proxy, our services.

Not collected by itself: it needs a zero-to-jupyterhub chart, which no registry of packages has. As root:

    pip install helm-python-sdk pycurl configurable-http-proxy
    Z2JH_CHART=jupyterhub-4.4.0.tgz python -m pytest -s -m engines tests/deploy/chart_on_the_cluster.py

Changed for this cluster: images (no registry, no puller), addresses (no cluster DNS), sizes, what a provider and a
vault would give, policy/v1, which Kubernetes has since 1.21, and dual stack, which it has since 1.23.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from jupytercloud_hub.deploy.render import rendered
from jupytercloud_hub.deploy.tree import Tree
from tests.support import ROOT
from tests.support.engines import LIGHT
from tests.support.engines_kubernetes import Kubernetes
from tests.support.hub_image import HUB, load_hub_image
from tests.support.postgresql import Postgresql

from .test_kubernetes_deployed import Deployed, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]

TOKEN = "t" * 64
SECRETS = ("client-secret", "quotas-token", "culler-token", "agent-token", "hub-client-token", "heartbeat-key")
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}


def values_here(database: str) -> dict[str, Any]:
    """Grenoble's values, with what this cluster has instead of Ceph, a registry and a vault."""
    values = copy.deepcopy(Tree(ROOT / "helm-values").combinations(["grenoble"])[0][0].values.data)
    hub = values["hub"]
    hub["image"] = {"name": HUB.partition(":")[0], "tag": HUB.partition(":")[2], "pullPolicy": "IfNotPresent"}
    hub["db"] = {"type": "postgres", "url": database}
    hub["resources"] = values["proxy"]["chp"]["resources"] = SMALL
    for container in hub["extraContainers"]:
        container.update(image=HUB, resources=SMALL)
    hub["services"]["tester"] = {"apiToken": TOKEN, "display": False}
    scopes = ["admin:users", "admin:servers", "access:services", "read:metrics"]
    hub["loadRoles"]["tester"] = {"scopes": scopes, "services": ["tester"]}
    values["proxy"]["chp"]["image"] = {"name": HUB.partition(":")[0], "tag": HUB.partition(":")[2]}
    values["prePuller"] = {"hook": {"enabled": False}, "continuous": {"enabled": False}}
    values["imagePullSecrets"] = []
    settings = hub["extraFiles"]["jupytercloud"]["data"]
    settings["database"] = {"url": database}
    settings["spawner"]["kubernetes"] = {"home": {"storage_class": "shared", "capacity": "50 MiB"}}
    settings["spawner"].pop("gpus")
    for profile in settings["profiles"]:
        profile["image"] = LIGHT
    settings["profiles"][0]["resources"] = {"cpu": {"guarantee": 0.01, "limit": 1}, "memory": "64 MiB"}
    return values


def apply_chart(cluster: Kubernetes, namespace: str, files: dict[str, str]) -> dict[str, str]:
    """Apply what Helm rendered; returns the addresses of its services by name."""
    manifests = [text for name, text in files.items() if name.endswith(".yaml")]
    objects = [one for text in manifests for one in YAML(typ="safe").load_all(text) if one]
    for one in objects:
        if one["apiVersion"] == "policy/v1":
            one["apiVersion"] = "policy/v1beta1"
        if one["kind"] == "Service":
            one["spec"].pop("ipFamilyPolicy", None)
    cluster.apply(*(one for one in objects if one["kind"] != "Deployment"), namespace=namespace)
    services = cluster.get("services", namespace=namespace)["items"]
    addresses = {one["metadata"]["name"]: str(one["spec"]["clusterIP"]) for one in services}
    for one in objects:
        if one["kind"] == "Deployment":
            one["spec"]["template"]["spec"]["hostAliases"] = [
                {"ip": address, "hostnames": [name]} for name, address in addresses.items()
            ]
            cluster.apply(one, namespace=namespace)
    return addresses


def test_hub_of_a_site_runs_from_the_chart_with_its_services_and_starts_a_server(
    kubernetes: Kubernetes, namespace: str
) -> None:
    chart = os.environ.get("Z2JH_CHART")
    assert chart, "Z2JH_CHART: a folder or an archive of zero-to-jupyterhub"
    load_hub_image(kubernetes, extras=("postgresql", "kubernetes", "chart"))
    with Postgresql.running(kubernetes.gateway()) as postgresql, postgresql.database() as url:
        deployed = Deployed(kubernetes, postgresql)
        deployed.secret(namespace, "jupytercloud", **dict.fromkeys(SECRETS, "s" * 64))
        manifests = YAML(typ="safe").load_all(Path(ROOT / "helm-values" / "manifests" / "hub-logs.yaml").read_text())
        kubernetes.apply(*manifests, namespace=namespace)
        files = rendered(values_here(deployed.database(url)), Path(chart), namespace)
        addresses = apply_chart(kubernetes, namespace, files)

        def words() -> str:
            told = [kubernetes.kubectl("get", "pods", "-n", namespace, "-o", "wide", check=False)]
            for name in ("hub", "quotas", "culler", "agent"):
                asked = ("logs", "-n", namespace, "deploy/hub", "-c", name, "--tail=25")
                told.append(f"{name}: {kubernetes.kubectl(*asked, check=False)}")
            told.append(kubernetes.kubectl("logs", "-n", namespace, "deploy/proxy", "--tail=5", check=False))
            told.append(kubernetes.kubectl("get", "events", "-n", namespace, check=False)[-2500:])
            return "\n".join(told)

        headers = {"Authorization": f"token {TOKEN}"}
        with httpx.Client(
            base_url=f"http://{addresses['proxy-public']}/", headers=headers, trust_env=False, timeout=30
        ) as client:
            until(lambda: client.get("hub/health").status_code == 200, words, 400)
            for service in ("quotas", "culler"):
                until(lambda s=service: client.get(f"services/{s}/health").status_code == 200, words, 200)  # type: ignore[misc]
            print("\n", client.get("hub/api/info").text)
            assert client.post("hub/api/users/lea").status_code == 201
            choice = {"profile": "pycoa", "options": {}}
            started = client.post("hub/api/users/lea/server", json=choice)
            assert started.status_code in (201, 202), started.text
            until(lambda: client.get("hub/api/users/lea").json()["servers"].get("", {}).get("ready"), words, 200)
            pods = kubernetes.get("pods", "-l", "component=singleuser-server", namespace=namespace)["items"]
            assert [pod["metadata"]["labels"]["app"] for pod in pods] == ["jupyterhub"], "the chart's policies take it"
            assert "jupytercloud_quotas_open_intervals" in client.get("services/quotas/metrics").text
            assert client.delete("hub/api/users/lea/server").status_code in (202, 204)
            until(lambda: not client.get("hub/api/users/lea").json()["servers"], words, 200)

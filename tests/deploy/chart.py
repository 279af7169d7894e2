"""The real zero-to-jupyterhub chart on the tests' cluster: rendered by Helm, applied by kubectl.

Changed for this cluster, which is Kubernetes 1.20: policy/v1, which there is since 1.21, and dual stack, which there is
since 1.23. Images, and what an ingress, a vault and a provider would give, are changed in the values.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from jupytercloud_hub.deploy.render import rendered
from tests.deploy.policies import End, allowed
from tests.deploy.test_kubernetes_deployed import until
from tests.support.engines_kubernetes import Kubernetes
from tests.support.hub_image import HUB
from tests.support.proxy_image import PROXY

Values = dict[str, Any]


def chart() -> Path:
    """Return the chart that the environment names."""
    given = os.environ.get("Z2JH_CHART")
    assert given, "Z2JH_CHART: a folder or an archive of zero-to-jupyterhub 4.4"
    return Path(given)


def with_images_here(values: Values) -> Values:
    """Let values name the images that this cluster has; no registry, so nothing is pulled."""
    hub, proxy = (image.partition(":") for image in (HUB, PROXY))
    values["hub"]["image"] = {"name": hub[0], "tag": hub[2], "pullPolicy": "IfNotPresent"}
    for container in values["hub"]["extraContainers"]:
        container["image"] = HUB
    values["proxy"]["chp"]["image"] = {"name": proxy[0], "tag": proxy[2]}
    values["prePuller"] = {"hook": {"enabled": False}, "continuous": {"enabled": False}}
    values["imagePullSecrets"] = []
    return values


@dataclass
class Release:
    """What `helm upgrade --install jupyterhub` would leave in a namespace."""

    cluster: Kubernetes
    namespace: str
    objects: list[dict[str, Any]] = field(default_factory=list)

    def apply(self, values: Values) -> None:
        """Render and apply; services first, as Helm does: their ports are in the environment of pods."""
        files = rendered(values, chart(), self.namespace)
        texts = [text for name, text in files.items() if name.endswith(".yaml")]
        self.objects = [one for text in texts for one in YAML(typ="safe").load_all(text) if one]
        for one in self.objects:
            if one["apiVersion"] == "policy/v1":
                one["apiVersion"] = "policy/v1beta1"
            if one["kind"] == "Service":
                one["spec"].pop("ipFamilyPolicy", None)
        runs = ("Deployment", "StatefulSet")
        self.cluster.apply(*(one for one in self.objects if one["kind"] not in runs), namespace=self.namespace)
        self.cluster.apply(*(one for one in self.objects if one["kind"] in runs), namespace=self.namespace)

    def address(self, service: str) -> str:
        return str(self.cluster.get("service", service, namespace=self.namespace)["spec"]["clusterIP"])

    def pods(self, component: str) -> list[dict[str, Any]]:
        return list(self.cluster.get("pods", "-l", f"component={component}", namespace=self.namespace)["items"])

    def ready(self, component: str) -> bool:
        """Whether there is one pod of a component, and all its containers are ready."""
        pods = [pod for pod in self.pods(component) if "deletionTimestamp" not in pod["metadata"]]
        states = [state for pod in pods for state in pod["status"].get("containerStatuses") or [{"ready": False}]]
        return len(pods) == 1 and all(state["ready"] for state in states)

    def wait(self, seconds: float = 400) -> None:
        """Wait until hub and proxy are ready and the one is reached through the other."""
        for component in ("proxy", "hub"):
            until(lambda one=component: self.ready(one), self.words, seconds)  # type: ignore[misc]
        url = f"http://{self.address('proxy-public')}"
        until(lambda: httpx.get(f"{url}/", trust_env=False).status_code < 500, self.words, seconds)

    def reaches(self, source: str, target: str, port: int) -> bool:
        """Whether the policies that were applied let one component's pod to a port of another's."""
        pods = [self.pods(one)[0] for one in (source, target)]
        named = {
            one["name"]: one["containerPort"]
            for container in pods[1]["spec"]["containers"]
            for one in container.get("ports", ())
            if "name" in one
        }
        policies = copy.deepcopy(self.cluster.get("networkpolicies", namespace=self.namespace)["items"])
        for policy in policies:
            for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
                for one in rule.get("ports", ()):
                    one["port"] = named.get(one["port"], one["port"])
        ends = [End(labels=pod["metadata"]["labels"], address=pod["status"]["podIP"]) for pod in pods]
        return allowed([("hub", one) for one in policies], *ends, port)

    def words(self) -> str:
        """What there is to read when something does not become ready."""
        spoken: list[Callable[[], str]] = [lambda: self._said("get", "pods", "-o", "wide")]
        for pod in self.cluster.get("pods", namespace=self.namespace)["items"]:
            name = pod["metadata"]["name"]
            for container in pod["spec"]["containers"]:
                one = container["name"]
                spoken.append(lambda n=name, c=one: f"== {n} {c}\n{self._said('logs', n, '-c', c, '--tail=25')}")  # type: ignore[misc]
        spoken.append(lambda: self._said("get", "events")[-2500:])
        return "\n".join(one() for one in spoken)

    def _said(self, *arguments: str) -> str:
        return self.cluster.kubectl(*arguments, "-n", self.namespace, check=False)

"""Images on the machines of a cluster: a DaemonSet for each kind of machines, whose containers only hold them.

zero-to-jupyterhub's chart has pre-pullers of its own: ``jupytercloud images list --helm-values`` prints their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kubernetes_asyncio.client import AppsV1Api, CoreV1Api

from ..profiles.images import NamedImage, Place
from ..settings.spawner import SpawnerSettings
from .base import slug
from .kubernetes_sweep import client_of_cluster
from .prepull import LABEL, OnNode, State, name_of

IMAGES_ANNOTATION = "jupytercloud.hub/images"
HOLD = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]
_NO_SHELL = frozenset({"CreateContainerError", "RunContainerError", "CrashLoopBackOff"})
"""A container waits with these after its image was pulled."""
_CANNOT = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)


class KubernetesPuller:
    """A cluster: the one that this process is in, else the one that ``KUBECONFIG`` names."""

    def __init__(self, site: str, spawner: SpawnerSettings, namespace: str) -> None:
        self._site, self._spawner, self._namespace = site, spawner, namespace
        self._label = slug(site or "hub")

    async def pull(self, images: Sequence[NamedImage]) -> None:
        """Make the DaemonSets anew."""
        await self.remove()
        async with await client_of_cluster() as client:
            for wanted in self.objects(images):
                await AppsV1Api(client).create_namespaced_daemon_set(self._namespace, wanted)

    async def look(self) -> Sequence[OnNode]:
        """Return how far each machine is."""
        async with await client_of_cluster() as client:
            api = CoreV1Api(client)
            pods = await api.list_namespaced_pod(self._namespace, label_selector=f"{LABEL}={self._label}")
            found = [one for pod in pods.items for one in on_node(client.sanitize_for_serialization(pod))]
        return sorted(found, key=lambda one: (one.image, one.node))

    async def remove(self) -> int:
        """Remove the DaemonSets; their pods go with them."""
        async with await client_of_cluster() as client:
            api = AppsV1Api(client)
            sets = await api.list_namespaced_daemon_set(self._namespace, label_selector=f"{LABEL}={self._label}")
            for one in sets.items:
                await api.delete_namespaced_daemon_set(one.metadata.name, self._namespace)
            return len(sets.items)

    def objects(self, images: Sequence[NamedImage]) -> list[Any]:
        """Return the DaemonSets: one for all images that are wanted at the same place."""
        places: dict[Place, list[str]] = {}
        for named in images:
            places.setdefault(named.place, []).append(named.image)
        return [self._daemon_set(place, held) for place, held in places.items()]

    def _daemon_set(self, place: Place, images: Sequence[str]) -> dict[str, Any]:
        name = name_of(self._site, f"{place.node_class}/{place.gpu_type}")
        labels = {
            LABEL: self._label,
            "app.kubernetes.io/managed-by": "jupytercloud-hub",
            "app.kubernetes.io/name": name,
        }
        selector, tolerations = self._machines(place)
        pod: dict[str, Any] = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": selector,
            "tolerations": tolerations,
            "containers": [_container(number, image) for number, image in enumerate(images)],
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }

    def _machines(self, place: Place) -> tuple[dict[str, str], list[dict[str, Any]]]:
        selector: dict[str, str] = {}
        tolerations: list[dict[str, Any]] = []
        node_class = self._spawner.node_classes.get(place.node_class or "")
        gpu = self._spawner.gpus.get(place.gpu_type or "")
        for kind in (node_class.kubernetes if node_class else None, gpu.kubernetes if gpu else None):
            if kind is not None:
                selector |= kind.node_selector
                tolerations += kind.tolerations
        return selector, tolerations


def _container(number: int, image: str) -> dict[str, Any]:
    # no pull policy: the cluster's own default asks the registry again for ":latest" only
    few = {"cpu": "1m", "memory": "8Mi"}
    return {
        "name": f"image-{number}",
        "image": image,
        "command": HOLD,
        "resources": {"requests": few, "limits": {"cpu": "20m", "memory": "16Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def on_node(pod: Mapping[str, Any]) -> list[OnNode]:
    """Return what a pod of a DaemonSet says of its images."""
    spec, status = pod["spec"], pod.get("status") or {}
    node = spec.get("nodeName")
    if not node or "deletionTimestamp" in pod["metadata"]:
        return []
    states = {one["name"]: one for one in status.get("containerStatuses") or ()}
    return [_one(container["image"], node, states.get(container["name"]) or {}) for container in spec["containers"]]


def _one(image: str, node: str, status: Mapping[str, Any]) -> OnNode:
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    state: State = "fetching"
    if reason in _CANNOT:
        state = "failed"
    elif status.get("imageID") or reason in _NO_SHELL:
        state = "there"
    return OnNode(image, node, state, str(waiting.get("message") or reason) if state == "failed" else "")

"""The pods of one hub in its namespace, for ``jupytercloud servers``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, Configuration, CoreV1Api
from kubernetes_asyncio.client.rest import ApiException
from kubernetes_asyncio.config import ConfigException

from ..contracts.text import Text
from .base import slug
from .kubernetes_objects import failure_of
from .sweep import Held

LABEL = "jupytercloud.hub"
_PHASES = {
    "Pending": Text("The server is starting."),
    "Running": Text("The server is running."),
    "Succeeded": Text("The server has ended."),
}


class KubernetesEngine:
    """A cluster: the hub's own, else the one that ``KUBECONFIG`` names."""

    def __init__(self, site: str, namespace: str) -> None:
        self._selector = f"{LABEL}/hub={slug(site)},component=singleuser-server"
        self._namespace = namespace

    async def held(self) -> Sequence[Held]:
        """Return the pods of this hub."""
        async with await client_of_cluster() as client:
            api = CoreV1Api(client)
            pods = await api.list_namespaced_pod(self._namespace, label_selector=self._selector)
            return [_held(client.sanitize_for_serialization(pod)) for pod in pods.items]

    async def remove(self, name: str) -> None:
        """Remove a pod; its claim stays."""
        async with await client_of_cluster() as client:
            try:
                await CoreV1Api(client).delete_namespaced_pod(name, self._namespace)
            except ApiException as error:
                if error.status != 404:
                    raise


async def client_of_cluster() -> ApiClient:
    """Return a client of the cluster that this process is in, else of the one that ``KUBECONFIG`` names."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        # Given here: the library believes for ever what KUBECONFIG was when it was imported.
        await config.load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=configuration)
    return ApiClient(configuration)


def _held(pod: dict[str, Any]) -> Held:
    labels, status = pod["metadata"].get("labels") or {}, pod.get("status") or {}
    failure = failure_of(pod)
    lost = "deletionTimestamp" in pod["metadata"]
    state = failure.text if failure else _PHASES.get(status.get("phase", ""), Text("The server has ended."))
    return Held(
        name=pod["metadata"]["name"],
        user=labels.get(f"{LABEL}/user", ""),
        server=labels.get(f"{LABEL}/server", ""),
        profile=labels.get(f"{LABEL}/profile", ""),
        made=datetime.fromisoformat(pod["metadata"]["creationTimestamp"]),
        state=Text("It is being removed.") if lost else state,
    )

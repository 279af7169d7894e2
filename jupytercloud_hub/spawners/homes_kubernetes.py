"""Homes that are claims of each person's own, in the hub's namespace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes_asyncio.client import CoreV1Api
from kubernetes_asyncio.client.rest import ApiException

from ..contracts.text import Text
from .base import slug
from .homes_engine import EngineHome
from .homes_kept import HomeError
from .kubernetes_sweep import client_of_cluster

STORAGE = "component=singleuser-storage"
"""KubeSpawner's label of claims, of a stock hub's too."""
HUB, USER = "jupytercloud.hub/hub", "jupytercloud.hub/user"
STOCK_USER = "hub.jupyter.org/username"

_UNITS = " KMGTPE"
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)((?:[KMGTPE]i)|[kMGTPE]|)")


class KubernetesHomes:
    """The claims in one namespace."""

    def __init__(self, site: str, namespace: str) -> None:
        self._hub, self._namespace = slug(site or "hub"), namespace

    async def kept(self, *, ending: bool = False) -> Sequence[EngineHome]:
        """Return this hub's claims, with what they may hold; ``ending``: those, too, that are being deleted."""
        async with await client_of_cluster() as client:
            listed = await CoreV1Api(client).list_namespaced_persistent_volume_claim(
                self._namespace, label_selector=STORAGE
            )
            claims = client.sanitize_for_serialization(listed)["items"]
        wanted = [claim for claim in claims if ending or "deletionTimestamp" not in claim["metadata"]]
        found = [home for claim in wanted if (home := home_of(claim, self._hub)) is not None]
        return sorted(found, key=lambda home: home.slug)

    async def archive(self, home: EngineHome, target: Path) -> Path:
        """Say what does it instead: a cluster has snapshots, and no way to read a claim from outside."""
        raise HomeError(
            Text("A claim is kept by a VolumeSnapshot of {name}, or packed from where it is mounted.", name=home.volume)
        )

    async def delete(self, home: EngineHome) -> None:
        """Delete a claim that no pod mounts: one in use would be deleted at the very moment when its server stops."""
        async with await client_of_cluster() as client:
            api = CoreV1Api(client)
            pods = client.sanitize_for_serialization(await api.list_namespaced_pod(self._namespace))["items"]
            users = [pod["metadata"]["name"] for pod in pods if mounts(pod, home.volume)]
            if users:
                raise HomeError(Text("{name} is in use by {users}", name=home.volume, users=", ".join(users)))
            try:
                await api.delete_namespaced_persistent_volume_claim(home.volume, self._namespace)
            except ApiException as error:
                raise HomeError(Text("{name}: {error}", name=home.volume, error=str(error.reason))) from None


def home_of(claim: Mapping[str, Any], hub: str) -> EngineHome | None:
    """Return whose home a claim is, None for another hub's; a stock hub's claims have no hub's name."""
    meta = claim["metadata"]
    labels = meta.get("labels") or {}
    if labels.get(HUB, hub) != hub:
        return None
    capacity = (claim.get("status") or {}).get("capacity") or claim["spec"]["resources"]["requests"]
    whose = labels.get(USER) or labels.get(STOCK_USER) or meta["name"]
    return EngineHome(
        whose, meta["name"], "", bytes_of(capacity["storage"]), datetime.fromisoformat(meta["creationTimestamp"])
    )


def mounts(pod: Mapping[str, Any], claim: str) -> bool:
    """Return whether a pod has a claim."""
    volumes = pod["spec"].get("volumes") or ()
    return any((volume.get("persistentVolumeClaim") or {}).get("claimName") == claim for volume in volumes)


def bytes_of(quantity: str) -> int | None:
    """Return a Kubernetes quantity in bytes (``10Gi``, ``500M``, ``1024``), None for what is none."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        return None
    unit = match[2]
    factor = 1024 ** _UNITS.index(unit[0]) if unit.endswith("i") else 1000 ** _UNITS.index(unit.upper() or " ")
    return int(float(match[1]) * factor)

"""From what a server needs to what KubeSpawner's settings say, and from a pod's state to words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..contracts.text import Text
from ..profiles.catalogue import Volume
from ..profiles.resources import ProfileResources

GPU_RESOURCE = "nvidia.com/gpu"
CVMFS = "/cvmfs"
HOME = "home"

# A container that waits with one of these does not start by waiting longer (kubelet: pkg/kubelet/images, kuberuntime).
_HOPELESS = {
    "ImagePullBackOff": Text("The image cannot be fetched."),
    "ErrImageNeverPull": Text("The image cannot be fetched."),
    "InvalidImageName": Text("The image cannot be fetched."),
    "CreateContainerConfigError": Text("The machine could not start it."),
    "CreateContainerError": Text("The machine could not start it."),
    "RunContainerError": Text("The machine could not start it."),
    "CrashLoopBackOff": Text("The server ends again and again while it starts."),
}
_EVENTS = {
    "Scheduled": (Text("A machine was found."), 40),
    "Pulling": (Text("The image is being fetched."), 50),
    "Pulled": (Text("The image is there."), 65),
    "Created": (Text("The server is starting."), 75),
    "Started": (Text("The server is starting."), 80),
    "SuccessfulAttachVolume": (Text("Your files are being made ready."), 45),
    "FailedAttachVolume": (Text("Your files cannot be reached yet; it goes on trying."), 45),
    "FailedMount": (Text("Your files cannot be reached yet; it goes on trying."), 45),
}


def extra_resources(
    wanted: ProfileResources, gpu_resource: str = GPU_RESOURCE
) -> tuple[dict[str, str], dict[str, str]]:
    """Return KubeSpawner's ``extra_resource_limits`` and ``extra_resource_guarantees``: GPUs, ephemeral disk.

    Kubernetes wants both sides of an extended resource to be equal.
    """
    limits: dict[str, str] = {}
    if wanted.gpu:
        limits[gpu_resource] = str(wanted.gpu)
    guarantees = dict(limits)
    if wanted.storage:
        limits["ephemeral-storage"] = str(wanted.storage)
    return limits, guarantees


def volume_of(volume: Volume, name: str, cvmfs_claim: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a profile's volume and its mount.

    A source that is a path is a hostPath (which OpenShift's restricted-v2 refuses), any other a claim. CVMFS is the
    claim of cvmfs-csi where the site has one, else the machines' own /cvmfs; its mount sees what is mounted later.
    """
    mount: dict[str, Any] = {"name": name, "mountPath": volume.target}
    if volume.read_only:
        mount["readOnly"] = True
    if volume.kind == "scratch":
        return {"name": name, "emptyDir": {}}, mount
    source = volume.source or ""
    if volume.kind == "cvmfs":
        mount["mountPropagation"] = "HostToContainer"
        source = volume.source or cvmfs_claim or CVMFS
    if source.startswith("/"):
        return {"name": name, "hostPath": {"path": source, "type": "Directory"}}, mount
    claim = {"claimName": source, **({"readOnly": True} if volume.read_only else {})}
    return {"name": name, "persistentVolumeClaim": claim}, mount


def shm(size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a /dev/shm of that many bytes, which count as the server's memory."""
    volume = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}}
    return volume, {"name": "shm", "mountPath": "/dev/shm"}  # noqa: S108 - a place in the container


def home_volume(home: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a person's home and its mount: a folder of a shared claim (``sub_path``), or a claim of her own."""
    mount: dict[str, Any] = {"name": HOME, "mountPath": home.get("target") or "/home/jovyan"}
    if home.get("claim"):
        mount["subPath"] = home.get("sub_path") or "homes/{safe_username}"
        return {"name": HOME, "persistentVolumeClaim": {"claimName": home["claim"]}}, mount
    return {"name": HOME, "persistentVolumeClaim": {"claimName": "{pvc_name}"}}, mount


@dataclass(frozen=True)
class Word:
    """Something that the cluster tells of a pod, in words, with the cluster's own beside them."""

    text: Text
    percent: int
    engine: str = ""


def word_of(event: Mapping[str, Any]) -> Word | None:
    """Return what an event of a pod means for the person who waits, None for what means nothing to her."""
    reason, message = str(event.get("reason") or ""), str(event.get("message") or "")
    if reason == "FailedScheduling":
        if "Insufficient" in message and "/gpu" in message:
            return Word(Text("No machine has a free GPU at the moment; it waits for one."), 30, message)
        return Word(Text("No machine has room for it at the moment; it waits for one."), 30, message)
    if reason in _EVENTS:
        text, percent = _EVENTS[reason]
        return Word(text, percent, message if reason.startswith("Failed") else "")
    return None


def failure_of(pod: Mapping[str, Any] | None) -> Word | None:
    """Return why a pod will not start, None while it may."""
    if pod is None:
        return None
    status = pod.get("status") or {}
    for container in _containers(status):
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in _HOPELESS:
            return Word(_HOPELESS[waiting["reason"]], 100, str(waiting.get("message") or waiting["reason"]))
        ended = state.get("terminated")
        if ended and container.get("name") == "notebook":
            text = Text("The server ended with code {code}.", code=ended.get("exitCode"))
            return Word(text, 100, str(ended.get("message") or ended.get("reason") or ""))
    if status.get("phase") == "Failed":
        return Word(
            Text("The machine could not start it."), 100, str(status.get("message") or status.get("reason") or "")
        )
    return None


def _containers(status: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]

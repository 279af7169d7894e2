"""From what a server needs to what Docker's API is sent. Pure functions, but for docker-py's own types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from docker.types import (
    ContainerSpec,
    DriverConfig,
    EndpointSpec,
    Mount,
    Placement,
    Resources,
    RestartPolicy,
    TaskTemplate,
)
from jupyterhub.slugs import safe_slug

from ..profiles.catalogue import Volume
from ..profiles.resources import ProfileResources

SHM = "/dev/shm"  # noqa: S108 - a place in the container
CVMFS = "/cvmfs"
GPU_RESOURCE = "GPU"


NAME_PART = 24
"""Letters of the user's and of the server's part of a service name: 60 in all, a DNS label has 63."""


def service_name(site: str, user: str, server: str = "") -> str:
    """Return the name of a server's service: the same at every start, different for each hub, user and server."""
    hub = sha256((site or "hub").encode()).hexdigest()[:6]
    name = f"jc-{hub}-{safe_slug(user, max_length=NAME_PART)}"
    return f"{name}--{safe_slug(server, max_length=NAME_PART)}" if server else name


def mount_of(volume: Volume) -> Mount:
    """Return the mount of a profile's volume.

    A source that is a path is bound, any other is a named volume. CVMFS is bound with propagation ``rslave``:
    without it a repository that autofs mounts later is a "too many levels of symbolic links" (dockerspawner #536).
    """
    if volume.kind == "scratch":
        return Mount(volume.target, None, type="tmpfs")
    if volume.kind == "cvmfs":
        source = volume.source or CVMFS
        return Mount(volume.target, source, type="bind", read_only=True, propagation="rslave")
    source = volume.source or ""
    kind = "bind" if source.startswith("/") else "volume"
    return Mount(volume.target, source, type=kind, read_only=volume.read_only)


def home_mount(home: Mapping[str, Any], names: Mapping[str, str], labels: Mapping[str, str] | None = None) -> Mount:
    """Return the mount of a person's home: ``type`` bind or volume, ``source`` with ``{places}``, ``target``.

    ``driver`` and ``options`` are for volumes (NFS: ``local`` with ``type``, ``o`` and ``device``); places are
    filled in there too. ``labels`` are a volume's when it is made; one that is there already keeps its own.
    """
    source = str(home["source"]).format(**names)
    target = str(home.get("target") or "/home/jovyan")
    if home.get("type") == "bind":
        return Mount(target, source, type="bind")
    driver = None
    if home.get("driver"):
        options = {key: str(value).format(**names) for key, value in (home.get("options") or {}).items()}
        driver = DriverConfig(home["driver"], options or None)
    return Mount(target, source, type="volume", driver_config=driver, labels=dict(labels or {}) or None)


def binds(
    volume_binds: Mapping[str, Mapping[str, str]], driver: str = "", options: Mapping[str, Any] | None = None
) -> list[Mount]:
    """Return the mounts of SwarmSpawner's ``volumes``: a path is bound, a name is a volume with its driver.

    SwarmSpawner itself binds names too, which no engine takes, and raises where there is a driver (#536).
    """
    named = DriverConfig(driver, dict(options or {}) or None) if driver else None
    return [
        Mount(place["bind"], source, type="bind", read_only=place["mode"] == "ro")
        if source.startswith("/")
        else Mount(place["bind"], source, type="volume", read_only=place["mode"] == "ro", driver_config=named)
        for source, place in volume_binds.items()
    ]


def shm_mount(size: int) -> Mount:
    """Return a /dev/shm of that many bytes."""
    return Mount(SHM, None, type="tmpfs", tmpfs_size=size)


def resources_of(wanted: ProfileResources, gpu_resource: str = GPU_RESOURCE) -> dict[str, Any]:
    """Return keyword arguments of docker-py's ``Resources``; GPUs are generic resources of the nodes."""
    nano = 1_000_000_000
    given: dict[str, Any] = {
        "cpu_limit": int(wanted.cpu.limit * nano) if wanted.cpu.limit else None,
        "cpu_reservation": int(wanted.cpu.guarantee * nano) if wanted.cpu.guarantee else None,
        "mem_limit": wanted.memory.limit,
        "mem_reservation": wanted.memory.guarantee,
    }
    if wanted.gpu:
        given["generic_resources"] = {gpu_resource: wanted.gpu}
    return given


def service(
    *,
    name: str,
    image: str,
    args: Sequence[str],
    env: Mapping[str, str],
    labels: Mapping[str, str],
    mounts: Sequence[Mount],
    resources: Mapping[str, Any],
    constraints: Sequence[str] = (),
    network: str = "",
    port: int | None = None,
    extra: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return keyword arguments of docker-py's ``create_service``.

    Labels stand on the service and on its containers: tasks are listed by them. ``restart_policy`` is none: a server
    that shut itself down stays down. Endpoints are ``dnsrr``: one task needs no virtual address, and long idle
    connections die in one. ``port``: published in host mode, for a hub outside of the overlay network. ``extra``:
    the administrator's own for ``container``, ``resources``, ``placement``, ``task``, ``endpoint`` and ``create``,
    which win.
    """
    own = {key: dict(value) for key, value in (extra or {}).items()}
    container = {
        "image": image,
        "args": list(args),
        "env": dict(env),
        "labels": dict(labels),
        "mounts": list(mounts),
        **own.get("container", {}),
    }
    placement = own.get("placement", {})
    both = [*constraints, *(placement.get("constraints") or ())]
    task = {
        "container_spec": ContainerSpec(**container),
        "resources": Resources(**{**resources, **own.get("resources", {})}),
        "networks": [network] if network else [],
        "placement": Placement(**{**placement, "constraints": both or None}),
        "restart_policy": RestartPolicy(condition="none"),
        **own.get("task", {}),
    }
    endpoint: dict[str, Any] = {"mode": "dnsrr"}
    if port is not None:
        endpoint["ports"] = {None: (port, "tcp", "host")}
    return {
        "task_template": TaskTemplate(**task),
        "name": name,
        "labels": dict(labels),
        "endpoint_spec": EndpointSpec(**{**endpoint, **own.get("endpoint", {})}),
        **own.get("create", {}),
    }

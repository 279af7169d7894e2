"""``spawner:``: where people's servers run, and what the site can give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..contracts.model import Model
from ..contracts.text import Text
from ..contracts.units import Bytes
from ..profiles.catalogue import PROFILE_NAME, Profile, Timeouts
from ..profiles.places import WHOLE_SITE
from ..profiles.resources import Capabilities


class SwarmGpu(Model):
    """Where a type of GPU is in a Swarm."""

    resource: str = Field(default="GPU", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Generic resource that the machines name (``--node-generic-resource GPU=2``)."""
    constraints: tuple[str, ...] = ()
    """Placement constraints that tell this type from others, such as ``node.labels.gpu==a100``."""


class KubernetesPlace(Model):
    """Machines of a cluster, by their labels, and what keeps others off them."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that the machines have."""
    tolerations: tuple[dict[str, Any], ...] = ()
    """Taints that are tolerated, as in a pod's ``tolerations``."""


class KubernetesGpu(KubernetesPlace):
    """Where a type of GPU is in a cluster."""

    resource: str = Field(default="nvidia.com/gpu", pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$")
    """Extended resource that the machines offer; MIG slices and vGPUs have names of their own."""


class GpuType(Model):
    """A type of GPU that the site has; a number alone is the most that one server can get."""

    most: int = Field(ge=1, le=64)
    """Most of them in one machine, hence for one server."""
    total: int | None = Field(default=None, ge=1)
    """All of them at the site: the form and the portal then say how many are free."""
    swarm: SwarmGpu = SwarmGpu()
    """For ``backend: swarm``."""
    kubernetes: KubernetesGpu = KubernetesGpu()
    """For ``backend: kubernetes``."""

    @model_validator(mode="before")
    @classmethod
    def _a_number_alone_is_the_most(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | GpuType) else {"most": value}

    @model_validator(mode="after")
    def _one_machine_has_no_more_than_the_site(self) -> Self:
        if self.total is not None and self.total < self.most:
            raise ValueError(Text("total is all of the site's, and one machine has {most} already", most=self.most))
        return self


class NodeClass(Model):
    """Machines that belong together: big memory, a remote site's, a room's."""

    swarm: tuple[Annotated[str, Field(pattern=r"^(node|engine)\.[\w.-]+ ?(==|!=) ?.+$")], ...] = ()
    """Placement constraints, such as ``node.labels.memory==big``."""
    kubernetes: KubernetesPlace = KubernetesPlace()
    """Labels and taints."""


class LocalSettings(Model):
    """Servers as processes on the hub's own machine: for a laptop, a demonstration, tests."""

    homes: Path | None = None
    """Folder of the homes; ``homes`` below ``site.state`` where it is missing."""
    end_with_hub: bool = False
    """Whether servers end with the hub. Without it they go on when the hub restarts, and are taken over."""
    trusted: bool = False
    """Whether everybody here may take the whole machine: limits are shown, not enforced, and ``check`` takes that for
    known."""


class MadeHome(Model):
    """Where the hub sees people's homes, for it to make those that are missing."""

    path: str = Field(pattern="^/")
    """The person's folder as the hub sees it: ``/mnt/homes/{user}``, with the same places as what is mounted."""
    uid: int = Field(default=1000, ge=0)
    """Owner: the account that servers run as."""
    gid: int = Field(default=100, ge=0)
    """Group; 0 on OpenShift, where the uid is any."""
    mode: str = Field(default="0700", pattern="^0[0-7]{3,4}$")
    """Rights, octal; ``"0770"`` on OpenShift."""

    @field_validator("path")
    @classmethod
    def _names_the_person(cls, value: str) -> str:
        try:
            folders = {value.format(hub="", user=name, username=name, safe_username=name) for name in ("a", "b")}
        except (KeyError, IndexError, ValueError):
            raise ValueError(Text("only {{hub}}, {{user}}, {{username}} and {{safe_username}} fit here")) from None
        if len(folders) == 1:
            raise ValueError(Text("{{user}} is needed in the path: people would share one home"))
        return value


class SwarmHome(Model):
    """What is mounted as a person's home. ``{hub}`` and ``{user}`` stand for slugs of the site and the person."""

    type: Literal["volume", "bind"] = "volume"
    """``volume``: made by Docker; ``bind``: a folder that all machines have (NFS, CephFS, GlusterFS)."""
    source: str = Field(default="jupytercloud-{hub}-{user}", min_length=1)
    """Name of the volume, or path; ``jupyterhub-user-{username}`` goes on with the volumes of a stock hub."""
    target: str = Field(default="/home/jovyan", pattern="^/")
    """Where it is in the server."""
    driver: str | None = None
    """Driver of the volume."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of the driver; for NFS: ``{type: nfs, o: "addr=nfs.example.fr,rw", device: ":/homes/{user}"}``."""
    made: MadeHome | None = None
    """Where the hub sees the same folders, to make those that are missing; without it somebody else makes them."""

    @field_validator("source", "options")
    @classmethod
    def _places_are_known(cls, value: Any) -> Any:
        for text in [value] if isinstance(value, str) else value.values():
            try:
                text.format(hub="", user="", username="")
            except (KeyError, IndexError, ValueError):
                raise ValueError(Text("only {{hub}}, {{user}} and {{username}} can be filled in here")) from None
        return value

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type == "bind" and (not self.source.startswith("/") or self.driver or self.options):
            raise ValueError(Text("a home of type bind is a path, without driver and options"))
        return self


class SwarmSettings(Model):
    """Servers as services of a Docker Swarm; the hub speaks to a manager (``DOCKER_HOST``, or the local socket)."""

    network: str = ""
    """Attachable overlay network that hub and servers share."""
    reach: Literal["network", "host-port"] = "network"
    """``host-port`` publishes a port on the server's machine, for a hub outside of the Swarm."""
    home: SwarmHome = SwarmHome()
    """The person's home."""
    threads: int = Field(default=16, ge=1, le=64)
    """Calls to Docker that may be under way at a time."""

    @model_validator(mode="after")
    def _servers_can_be_reached(self) -> Self:
        if self.reach == "network" and not self.network:
            raise ValueError(Text("a network is needed, or reach: host-port for a hub outside of the Swarm"))
        return self


class KubernetesHome(Model):
    """The person's home: a claim of her own, or a folder of one claim that all share."""

    target: str = Field(default="/home/jovyan", pattern="^/")
    """Where it is in the server."""
    claim: str | None = None
    """Shared claim (ReadWriteMany); without it each person gets a claim of her own."""
    sub_path: str | None = None
    """Folder in the shared claim; ``{safe_username}`` stands for the person's slug."""
    storage_class: str | None = None
    """Storage class of claims of her own; the cluster's default where it is missing."""
    capacity: Bytes = Field(default=10 * 1024**3)
    """Size of claims of her own."""
    made: MadeHome | None = None
    """Where the hub sees the folders of the shared claim, to make those that are missing with the right owner."""

    @model_validator(mode="after")
    def _folders_differ(self) -> Self:
        if self.sub_path is not None and self.claim is None:
            raise ValueError(Text("sub_path is a folder of a shared claim: name the claim"))
        if self.sub_path is not None and "username}" not in self.sub_path:
            raise ValueError(Text("{{safe_username}} is needed in sub_path: people would share one home"))
        return self


class KubernetesSettings(Model):
    """Servers as pods; the hub speaks to its own cluster, or to the one that ``KUBECONFIG`` names."""

    namespace: str | None = None
    """Namespace of the pods; the hub's own where it is missing."""
    home: KubernetesHome = KubernetesHome()
    """The person's home."""
    home_moves: bool = False
    """Whether a home can be mounted elsewhere while its machine is gone; only then a lost server is force-deleted."""
    cvmfs_claim: str = ""
    """Claim of cvmfs-csi; without it CVMFS is the machines' own /cvmfs (hostPath)."""


class SpawnerSettings(Model):
    """Where people's servers run."""

    backend: Literal["local", "swarm", "kubernetes"] = "local"
    """``local``: processes on this machine; ``swarm``: Docker Swarm; ``kubernetes``: Kubernetes and OpenShift."""
    gpus: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")], GpuType] = Field(
        default_factory=dict
    )
    """GPU types that profiles may ask for, each with the most that one server can get."""
    node_classes: dict[Annotated[str, Field(pattern=PROFILE_NAME)], NodeClass] = Field(default_factory=dict)
    """Machines that a profile's ``node_class`` may name."""
    places: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """Places for servers at once, for each profile; ``"*"`` is the whole site. Unnamed profiles have no known limit.
    The form and the portal say how many are free; budgets (``quotas:``) refuse, this does not."""
    named_servers: int = Field(default=0, ge=0, le=100)
    """How many servers a person may have besides her default one."""
    timeouts: Timeouts = Timeouts()
    """How long a start may take, where the profile does not say."""
    local: LocalSettings = LocalSettings()
    """For ``backend: local``."""
    swarm: SwarmSettings | None = None
    """For ``backend: swarm``."""
    kubernetes: KubernetesSettings = KubernetesSettings()
    """For ``backend: kubernetes``."""

    @model_validator(mode="after")
    def _backend_is_described(self) -> Self:
        if self.backend == "swarm" and self.swarm is None:
            raise ValueError(Text("backend: swarm needs its section swarm: network, home"))
        return self

    def gpus_in_all(self) -> dict[str, int]:
        """Return all GPUs of the site by type, of the types whose number is known."""
        return {name: gpu.total for name, gpu in self.gpus.items() if gpu.total is not None}

    def capabilities(self, site: str | None = None) -> Capabilities:
        """Return what the backend gives, as the form and ``check`` say it."""
        local = self.backend == "local"
        return Capabilities(
            backend=self.backend,
            limits="not enforced" if local else "enforced",
            gpus={name: gpu.most for name, gpu in self.gpus.items()},
            node_classes=None if local else frozenset(self.node_classes),
            images=not local,
            site=site,
        )

    def findings(self, profiles: Sequence[Profile]) -> Iterator[tuple[tuple[str | int, ...], Text]]:
        """Yield what the profiles ask of this backend in vain: (place in the settings, rule)."""
        names = {profile.name for profile in profiles if not profile.abstract}
        for name in self.places:
            if name != WHOLE_SITE and name not in names:
                yield ("spawner", "places", name), Text("no profile has this name")
        for index, profile in enumerate(profiles):
            if profile.abstract:
                continue
            here = ("profiles", index)
            if profile.node_class and self.backend != "local" and profile.node_class not in self.node_classes:
                yield (*here, "node_class"), Text("no class of machines has this name in spawner.node_classes")
            if self.backend == "local":
                continue
            if profile.image is None and not any(option.image for option in profile.options):
                yield (*here, "image"), Text("an image is needed: this site runs containers")
            if profile.files:
                yield (*here, "files"), Text("files are given to homes on backend: local only; put them into the image")

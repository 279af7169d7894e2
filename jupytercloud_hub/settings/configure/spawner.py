"""What ``spawner:`` sets on a hub."""

from __future__ import annotations

from typing import Any

from ...profiles.catalogue import Catalogue
from ..model import Settings
from ..spawner import SpawnerSettings, SwarmSettings
from .names import ADMISSION_SCOPE, HUB_CLIENT, QUOTAS
from .registry import Services

SPAWNERS = {"local": "profile-local", "swarm": "profile-swarm", "kubernetes": "profile-kubernetes"}
"""Entry point of each backend."""


def configure_spawner(config: Any, settings: Settings, services: Services) -> None:
    """Set the spawner's class and traits; without ``spawner:`` the hub keeps what it has."""
    spawner = settings.spawner
    if spawner is None or settings.site.role == "portal":
        return
    hub, mixin = config.JupyterHub, config.ProfileMixin
    hub.spawner_class = SPAWNERS[spawner.backend]
    mixin.profiles = Catalogue(settings.profiles)
    mixin.site = settings.site.name
    mixin.contact = settings.site.contact
    mixin.timezone = settings.site.timezone
    mixin.gpus = {name: gpu.most for name, gpu in spawner.gpus.items()}
    if spawner.places:
        mixin.places = dict(spawner.places)
    if spawner.gpus_in_all():
        mixin.gpus_in_all = spawner.gpus_in_all()
    if spawner.named_servers:
        hub.allow_named_servers = True
        hub.named_server_limit_per_user = spawner.named_servers
    if spawner.timeouts.start:
        config.Spawner.start_timeout = round(spawner.timeouts.start.total_seconds())
    if spawner.timeouts.http:
        config.Spawner.http_timeout = round(spawner.timeouts.http.total_seconds())
    _admission(mixin, settings, services)
    if spawner.backend == "local":
        _local(config.ProfileLocalSpawner, settings)
    elif spawner.swarm is not None:
        _swarm(config.ProfileSwarmSpawner, spawner, spawner.swarm)
    if spawner.backend == "kubernetes":
        _kubernetes(config.ProfileKubernetesSpawner, spawner)


def _admission(mixin: Any, settings: Settings, services: Services) -> None:
    if settings.quotas is None or QUOTAS not in services.urls or "quota_url" in mixin:
        return
    mixin.quota_url = f"{services.urls[QUOTAS]}{settings.site.base_path}services/{QUOTAS}/"
    mixin.quota_token = services.add_client(HUB_CLIENT, [ADMISSION_SCOPE, f"access:services!service={QUOTAS}"])
    mixin.when_unavailable = settings.quotas.when_unavailable


def _local(local: Any, settings: Settings) -> None:
    where = settings.spawner.local if settings.spawner else None
    state = settings.state_folder.resolve()
    homes = settings.folder / where.homes if where and where.homes else state / "homes"
    local.homes = str(homes)
    local.logs = str(state / "logs")
    local.scratch = str(state / "scratch")
    local.files_root = str(settings.folder)
    local.end_with_hub = bool(where and where.end_with_hub)


def _swarm(swarm: Any, spawner: SpawnerSettings, section: SwarmSettings) -> None:
    swarm.network_name = section.network
    swarm.reach = section.reach
    swarm.threads = section.threads
    swarm.home = section.home.model_dump(exclude_none=True, exclude={"made"})
    if section.home.made:
        swarm.made_home = section.home.made.model_dump()
    swarm.node_classes = {name: list(kind.swarm) for name, kind in spawner.node_classes.items()}
    swarm.gpu_resources = {
        name: {"resource": gpu.swarm.resource, "constraints": list(gpu.swarm.constraints)}
        for name, gpu in spawner.gpus.items()
    }


def _kubernetes(kubernetes: Any, spawner: SpawnerSettings) -> None:
    section = spawner.kubernetes
    if section.namespace:
        kubernetes.namespace = section.namespace
    kubernetes.home = section.home.model_dump(include={"target", "claim", "sub_path"}, exclude_none=True)
    if section.home.made:
        kubernetes.made_home = section.home.made.model_dump()
    if section.home.storage_class:
        kubernetes.storage_class = section.home.storage_class
    kubernetes.storage_capacity = str(section.home.capacity)
    kubernetes.home_moves = section.home_moves
    kubernetes.cvmfs_claim = section.cvmfs_claim
    kubernetes.node_classes = {
        name: kind.kubernetes.model_dump(mode="json") for name, kind in spawner.node_classes.items()
    }
    kubernetes.gpu_resources = {name: gpu.kubernetes.model_dump(mode="json") for name, gpu in spawner.gpus.items()}

"""The engines carry the spawners that ours stand on, with a hub in the test's own process: a start, a page, a stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyterhub.utils import random_port
from traitlets.config import Config

from tests.support.engines import LIGHT, NOTEBOOK
from tests.support.engines_kubernetes import Kubernetes
from tests.support.engines_swarm import Swarm
from tests.support.hub import start_hub, stop_hub

pytestmark = pytest.mark.engines
PEOPLE: dict[str, dict[str, Any]] = {"amelie": {"admin": True}}


def reachable_hub(address: str) -> Config:
    """A hub that servers reach at this address."""
    config = Config()
    config.JupyterHub.hub_bind_url = config.JupyterHub.hub_connect_url = f"http://{address}:{random_port()}"
    config.Spawner.start_timeout = config.Spawner.http_timeout = 60
    return config


async def start_and_stop(config: Config, folder: Path) -> dict[str, Any]:
    """Start amelie's server, return what it says at its address, and stop it."""
    hub = await start_hub(config, PEOPLE, folder)
    try:
        user = hub.users.get("amelie") or hub.users.add(await _account(hub))
        await user.spawn("")
        spawner = user.spawners[""]
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{spawner.server.url}api")
        answer.raise_for_status()
        await user.stop("")
        assert await spawner.poll() is not None
        return answer.json()
    finally:
        await stop_hub(hub)


async def _account(hub: Any) -> Any:
    from jupyterhub import orm

    account = orm.User(name="amelie")
    hub.db.add(account)
    hub.db.commit()
    return account


@contextmanager
def swarm_hub(swarm: Swarm) -> Iterator[Config]:
    """A hub's settings; the test stands in an overlay network meanwhile."""
    with swarm.network() as network, swarm.inside(network) as address:
        config = reachable_hub(address)
        config.JupyterHub.spawner_class = "dockerspawner.SwarmSpawner"
        config.SwarmSpawner.client_kwargs = {"base_url": swarm.host, "version": "auto"}
        config.SwarmSpawner.network_name = network
        config.SwarmSpawner.use_internal_ip = True
        config.SwarmSpawner.extra_endpoint_spec = {"mode": "dnsrr"}
        config.SwarmSpawner.extra_placement_spec = {"constraints": [f"node.hostname=={swarm.nodes[-1]}"]}
        yield config


async def test_swarmspawner_starts_the_light_image_over_the_overlay(swarm: Swarm, tmp_path: Path) -> None:
    with swarm_hub(swarm) as config:
        config.SwarmSpawner.image = LIGHT
        config.SwarmSpawner.cmd = ["/bin/light-server"]
        seen = await start_and_stop(config, tmp_path)
    assert seen["environment"]["JUPYTERHUB_USER"] == "amelie"


async def test_kubespawner_starts_the_notebook_image_with_the_least_role(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the client reads KUBECONFIG when it is imported, which may have been long ago
    account = kubernetes.account(namespace, tmp_path)
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(account))
    config = reachable_hub(kubernetes.gateway())
    config.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    config.KubeSpawner.namespace = namespace
    config.KubeSpawner.image = NOTEBOOK
    config.KubeSpawner.image_pull_policy = "IfNotPresent"
    config.KubeSpawner.cmd = ["jupyterhub-singleuser"]
    # At once: a kubelet of 1.20 may let an ended pod go only after the minute that KubeSpawner waits for.
    config.KubeSpawner.delete_grace_period = 0
    assert (await start_and_stop(config, tmp_path))["version"]

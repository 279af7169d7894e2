"""A pod on a machine that does not answer is given up only where its home can be mounted elsewhere."""

from types import SimpleNamespace
from typing import Any

import pytest
from kubespawner import KubeSpawner

from tests.bench.kubernetes import wiring


@pytest.mark.parametrize("moves", [True, False])
async def test_pod_is_removed_by_force_only_where_the_home_moves(moves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from traitlets.config import Config

    from jupytercloud_hub.spawners.kubernetes import ProfileKubernetesSpawner

    removed: list[Any] = []

    async def no_answer(self: Any, now: bool = False) -> None:
        raise TimeoutError("pod did not disappear in 300 seconds!")

    async def delete(name: str, namespace: str, body: Any) -> None:
        removed.append((name, namespace, body.grace_period_seconds))

    monkeypatch.setattr(KubeSpawner, "stop", no_answer)
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda *args, **options: None)  # no cluster is asked
    config = Config()
    config.ProfileKubernetesSpawner.home_moves = moves
    config.KubeSpawner.namespace = "labo"
    spawner = ProfileKubernetesSpawner(**wiring(config))
    spawner.orm_spawner = SimpleNamespace(name="", user_options=None, server=None)
    spawner.api = SimpleNamespace(delete_namespaced_pod=delete)
    if moves:
        await spawner.stop()
        assert removed == [(spawner.pod_name, "labo", 0)]
    else:
        with pytest.raises(TimeoutError):
            await spawner.stop()
        assert removed == []

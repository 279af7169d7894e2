from typing import Any

import pytest

from jupytercloud_hub.settings.spawner import SpawnerSettings
from jupytercloud_hub.spawners import swarm_check
from tests.support.engines_swarm import Swarm

NODE: dict[str, Any] = {
    "ID": "abc",
    "Spec": {"Role": "worker", "Labels": {"memory": "big"}},
    "Description": {
        "Hostname": "node1",
        "Engine": {"Labels": {"room": "a"}},
        "Resources": {
            "GenericResources": [
                {"DiscreteResourceSpec": {"Kind": "GPU", "Value": 2}},
                {"NamedResourceSpec": {"Kind": "FPGA", "Value": "f0"}},
                {"NamedResourceSpec": {"Kind": "FPGA", "Value": "f1"}},
            ]
        },
    },
}


@pytest.mark.parametrize(
    ("constraints", "met"),
    [
        ([], True),
        (["node.labels.memory==big"], True),
        (["node.labels.memory == big", "node.hostname==node1"], True),
        (["node.labels.memory!=big"], False),
        (["node.labels.memory!=small"], True),
        (["node.labels.gpu==a100"], False),
        (["engine.labels.room==a"], True),
        (["node.role==manager"], False),
        (["node.platform.os==linux"], False),
    ],
)
def test_constraints_are_read_as_the_engine_does(constraints: list[str], met: bool) -> None:
    assert swarm_check.fits(NODE, constraints) is met


def test_generic_resources_are_counted_or_named() -> None:
    assert [swarm_check.generic(NODE, kind) for kind in ("GPU", "FPGA", "TPU")] == [2, 2, 0]


def settings(**swarm: Any) -> SpawnerSettings:
    return SpawnerSettings.model_validate(
        {
            "backend": "swarm",
            "gpus": {"a100": {"most": 1, "swarm": {"constraints": ["node.labels.gpu==a100"]}}, "t4": 4},
            "node_classes": {"second": {"swarm": ["node.hostname==node2"]}, "gone": {"swarm": ["node.hostname==x"]}},
            "swarm": swarm,
        }
    )


async def test_manager_that_is_away_is_an_error_with_its_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    (found,) = await swarm_check.look(settings(network="jh"))
    assert found.status == "error"
    assert "DOCKER_HOST" in str(found.mend)


@pytest.mark.engines
async def test_real_swarm_is_looked_at(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", swarm.host)
    said = [(found.status, str(found.what)) for found in await swarm_check.look(settings(network="nothing"))]
    assert ("ok", f"the Swarm has {len(swarm.nodes)} machines that are ready") in said
    assert ("error", "the Swarm has no network nothing") in said
    assert ("warning", "no machine of the Swarm is of the class gone") in said
    assert not [what for _, what in said if "class second" in what or "a100" in what]
    assert [what for _, what in said if "4 × GPU t4; the most is 1" in what]

"""What engines say of an image that machines fetch, in three words."""

from typing import Any

import pytest

from jupytercloud_hub.profiles.images import ANYWHERE, NamedImage, Place
from jupytercloud_hub.settings.spawner import SpawnerSettings
from jupytercloud_hub.spawners import kubernetes_prepull, swarm_prepull
from jupytercloud_hub.spawners.prepull import OnNode, over


@pytest.mark.parametrize(
    ("reached", "said", "state"),
    [
        ("assigned", "", "fetching"),
        ("preparing", "", "fetching"),
        ("starting", "", "there"),
        ("complete", "", "there"),
        ("failed", "task: non-zero exit (1)", "there"),
        ("rejected", "No such image: lab:1", "failed"),
        ("rejected", 'exec: "/bin/sh": stat /bin/sh: no such file or directory', "there"),
    ],
)
def test_task_of_a_swarm_says_how_far_its_image_is(reached: str, said: str, state: str) -> None:
    found = swarm_prepull.on_node("lab:1", "node1", {"Status": {"State": reached, "Err": said}})
    assert found.state == state
    assert bool(found.engine) is (state == "failed")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "fetching"),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, "fetching"),
        ({"imageID": "sha256:1", "state": {"running": {}}}, "there"),
        ({"state": {"waiting": {"reason": "RunContainerError"}}}, "there"),
        ({"state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}, "failed"),
    ],
)
def test_container_of_a_pod_says_how_far_its_image_is(status: dict[str, Any], state: str) -> None:
    pod = {
        "metadata": {},
        "spec": {"nodeName": "node1", "containers": [{"name": "image-0", "image": "lab:1"}]},
        "status": {"containerStatuses": [{"name": "image-0", **status}]},
    }
    (found,) = kubernetes_prepull.on_node(pod)
    assert found.state == state


def test_images_go_where_their_servers_run() -> None:
    spawner = SpawnerSettings.model_validate(
        {
            "gpus": {
                "a100": {
                    "most": 1,
                    "swarm": {"constraints": ["node.labels.gpu==a100"]},
                    "kubernetes": {"node_selector": {"gpu": "a100"}, "tolerations": [{"key": "gpu"}]},
                }
            },
            "node_classes": {"big": {"swarm": ["node.labels.memory==big"]}},
        }
    )
    place = Place("big", "a100")
    swarm = swarm_prepull.SwarmPuller("labo", spawner, client=object())
    assert swarm.constraints(place) == ["node.labels.memory==big", "node.labels.gpu==a100"]
    images = [
        NamedImage("lab:1", ("a",), ANYWHERE),
        NamedImage("lab:2", ("b",), ANYWHERE),
        NamedImage("c", ("c",), place),
    ]
    everywhere, there = kubernetes_prepull.KubernetesPuller("labo", spawner, "jupyter").objects(images)
    held = everywhere["spec"]["template"]["spec"]
    assert [container["image"] for container in held["containers"]] == ["lab:1", "lab:2"]
    assert held["nodeSelector"] == {}
    assert there["spec"]["template"]["spec"]["nodeSelector"] == {"gpu": "a100"}
    assert there["metadata"]["name"] != everywhere["metadata"]["name"]


def test_wait_is_over_when_every_image_was_seen_and_none_is_fetched() -> None:
    there, fetching = OnNode("a", "node1", "there"), OnNode("b", "node1", "fetching")
    assert not over([there], ["a", "b"])
    assert not over([there, fetching], ["a", "b"])
    assert over([there, OnNode("b", "node1", "failed")], ["a", "b"])

"""The Kubernetes spawner's pure parts."""

from typing import Any

import pytest

from jupytercloud_hub.profiles.catalogue import Volume
from jupytercloud_hub.profiles.resources import ProfileResources
from jupytercloud_hub.spawners import kubernetes_objects as objects


@pytest.mark.parametrize(
    ("volume", "claim", "source", "mount"),
    [
        (
            {"source": "/srv/data", "target": "/data"},
            "",
            {"hostPath": {"path": "/srv/data", "type": "Directory"}},
            {"mountPath": "/data", "readOnly": True},
        ),
        (
            {"source": "corpus", "target": "/data", "read_only": False},
            "",
            {"persistentVolumeClaim": {"claimName": "corpus"}},
            {"mountPath": "/data"},
        ),
        (
            {"kind": "cvmfs", "target": "/cvmfs"},
            "",
            {"hostPath": {"path": "/cvmfs", "type": "Directory"}},
            {"mountPath": "/cvmfs", "readOnly": True, "mountPropagation": "HostToContainer"},
        ),
        (
            {"kind": "cvmfs", "target": "/cvmfs"},
            "cvmfs",
            {"persistentVolumeClaim": {"claimName": "cvmfs", "readOnly": True}},
            {"mountPath": "/cvmfs", "readOnly": True, "mountPropagation": "HostToContainer"},
        ),
        ({"kind": "scratch", "target": "/scratch"}, "", {"emptyDir": {}}, {"mountPath": "/scratch"}),
    ],
)
def test_volumes_are_mounted_as_their_kind_wants(
    volume: dict[str, Any], claim: str, source: dict[str, Any], mount: dict[str, Any]
) -> None:
    made, mounted = objects.volume_of(Volume.model_validate(volume), "v", claim)
    assert made == {"name": "v", **source}
    assert mounted == {"name": "v", **mount}


def test_home_is_a_folder_of_a_shared_claim_or_a_claim_of_her_own() -> None:
    shared = {"claim": "homes", "sub_path": "homes/{safe_username}", "target": "/home/jovyan"}
    volume, mount = objects.home_volume(shared)
    assert volume["persistentVolumeClaim"] == {"claimName": "homes"}
    assert mount == {"name": "home", "mountPath": "/home/jovyan", "subPath": "homes/{safe_username}"}
    volume, mount = objects.home_volume({"target": "/home/jovyan"})
    assert volume["persistentVolumeClaim"] == {"claimName": "{pvc_name}"}
    assert "subPath" not in mount


def test_gpus_stand_on_both_sides_and_disk_is_a_limit() -> None:
    wanted = ProfileResources.model_validate({"gpu": 2, "storage": "1 GiB"})
    limits, guarantees = objects.extra_resources(wanted, "nvidia.com/mig-1g.5gb")
    assert limits == {"nvidia.com/mig-1g.5gb": "2", "ephemeral-storage": str(1024**3)}
    assert guarantees == {"nvidia.com/mig-1g.5gb": "2"}


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("FailedScheduling", "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", "free GPU"),
        ("FailedScheduling", "0/2 nodes are available: 2 Insufficient memory.", "room"),
        ("Scheduled", "Successfully assigned", "was found"),
        ("Pulling", "", "being fetched"),
        ("FailedMount", "MountVolume.SetUp failed", "files cannot be reached"),
        ("Started", "", "starting"),
        ("SomethingOfTomorrow", "", None),
    ],
)
def test_events_are_told_in_words(reason: str, message: str, said: str | None) -> None:
    word = objects.word_of({"reason": reason, "message": message})
    assert (word is None) if said is None else (word is not None and said in str(word.text))


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"name": "notebook", "state": {"waiting": {"reason": reason, "message": message}}}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"phase": "Pending"}, None),
        ({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]}, None),
        ({"phase": "Pending", "containerStatuses": [waiting("ErrImagePull", "no such host")]}, None),
        ({"phase": "Pending", "containerStatuses": [waiting("ImagePullBackOff", "Back-off")]}, "cannot be fetched"),
        ({"phase": "Pending", "containerStatuses": [waiting("CreateContainerConfigError")]}, "could not start"),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    {"name": "notebook", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
                ],
            },
            "code 137",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}, "could not start"),
        ({"phase": "Running", "containerStatuses": [{"name": "notebook", "state": {"running": {}}}]}, None),
    ],
)
def test_pod_that_cannot_start_is_told_at_once_and_others_are_waited_for(
    status: dict[str, Any], said: str | None
) -> None:
    failure = objects.failure_of({"status": status})
    assert (failure is None) if said is None else (failure is not None and said in str(failure.text))


def test_pod_that_is_not_there_yet_has_not_failed() -> None:
    assert objects.failure_of(None) is None

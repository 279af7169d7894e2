"""The Swarm spawner's pure parts, and the list that all polls share."""

import asyncio
from typing import Any

import pytest

from jupytercloud_hub.profiles.catalogue import Volume
from jupytercloud_hub.profiles.resources import ProfileResources
from jupytercloud_hub.spawners import swarm_objects as objects
from jupytercloud_hub.spawners.swarm_board import SERVICE_LABEL, Board
from jupytercloud_hub.spawners.swarm_tasks import Phase, judge


def task(state: str, desired: str = "running", error: str = "", code: int | None = None, **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"State": state, "Err": error}
    if code is not None:
        status["ContainerStatus"] = {"ExitCode": code}
    return {"Status": status, "DesiredState": desired, **more}


@pytest.mark.parametrize(
    ("state", "desired", "error", "code", "phase", "said"),
    [
        ("new", "running", "", None, Phase.WAITING, "being looked for"),
        ("pending", "running", "no suitable node (insufficient resources)", None, Phase.WAITING, "No machine has room"),
        ("assigned", "running", "", None, Phase.STARTING, "was found"),
        ("preparing", "running", "", None, Phase.STARTING, "image"),
        ("ready", "running", "", None, Phase.STARTING, "starting"),
        ("running", "running", "", None, Phase.RUNNING, "running"),
        ("running", "shutdown", "", 0, Phase.ENDED, "lost"),
        ("running", "remove", "", None, Phase.ENDED, "lost"),
        ("preparing", "shutdown", "", None, Phase.ENDED, "lost"),
        ("rejected", "shutdown", "No such image: x", None, Phase.ENDED, "could not start"),
        ("failed", "shutdown", "task: non-zero exit (3)", 3, Phase.ENDED, "code 3"),
        ("complete", "shutdown", "", 0, Phase.ENDED, "has ended"),
        ("orphaned", "shutdown", "", None, Phase.ENDED, "has ended"),
        ("a state of tomorrow", "running", "", None, Phase.ENDED, "has ended"),
    ],
)
def test_state_of_a_task_is_read_as_what_it_means_for_the_server(
    state: str, desired: str, error: str, code: int | None, phase: Phase, said: str
) -> None:
    view = judge(task(state, desired, error, code))
    assert view.phase is phase
    assert said in str(view.text)
    assert error in view.engine
    assert view.code == (None if said == "lost" else code)


@pytest.mark.parametrize(
    ("volume", "mount"),
    [
        (
            {"source": "/srv/data", "target": "/data"},
            {"Target": "/data", "Source": "/srv/data", "Type": "bind", "ReadOnly": True},
        ),
        (
            {"source": "corpus", "target": "/data", "read_only": False},
            {"Target": "/data", "Source": "corpus", "Type": "volume", "ReadOnly": False},
        ),
        (
            {"kind": "cvmfs", "target": "/cvmfs"},
            {
                "Target": "/cvmfs",
                "Source": "/cvmfs",
                "Type": "bind",
                "ReadOnly": True,
                "BindOptions": {"Propagation": "rslave"},
            },
        ),
        (
            {"kind": "scratch", "target": "/scratch"},
            {"Target": "/scratch", "Source": None, "Type": "tmpfs", "ReadOnly": False},
        ),
    ],
)
def test_volumes_are_mounted_as_their_kind_wants(volume: dict[str, Any], mount: dict[str, Any]) -> None:
    made = dict(objects.mount_of(Volume.model_validate(volume)))
    assert {key: value for key, value in made.items() if value not in ({}, None) or key == "Source"} == mount


def test_home_on_nfs_names_the_person_in_its_options() -> None:
    home = {
        "type": "volume",
        "source": "home-{user}",
        "driver": "local",
        "options": {"type": "nfs", "o": "addr=nfs.example.fr,rw", "device": ":/homes/{user}"},
    }
    made = objects.home_mount(home, {"hub": "h", "user": "amelie", "username": "amelie"})
    assert made["Source"] == "home-amelie"
    assert made["VolumeOptions"]["DriverConfig"] == {
        "Name": "local",
        "Options": {"type": "nfs", "o": "addr=nfs.example.fr,rw", "device": ":/homes/amelie"},
    }


def test_named_volumes_of_a_stock_configuration_are_volumes_with_their_driver() -> None:
    binds = {
        "jupyterhub-user-a": {"bind": "/home/jovyan", "mode": "rw"},
        "/data": {"bind": "/data", "mode": "ro"},
    }
    volume, path = objects.binds(binds, "rexray", {"size": "1"})
    assert (volume["Type"], volume["VolumeOptions"]["DriverConfig"]["Name"]) == ("volume", "rexray")
    assert (path["Type"], path["ReadOnly"]) == ("bind", True)


def test_service_has_what_keeps_it_from_harm() -> None:
    wanted = ProfileResources.model_validate({"cpu": {"guarantee": 0.5, "limit": 2}, "memory": "1 GiB", "gpu": 1})
    made = objects.service(
        name="jc-x",
        image="image",
        args=["a", "b"],
        env={"A": "1"},
        labels={"l": "1"},
        mounts=[],
        resources=objects.resources_of(wanted),
        constraints=["node.labels.gpu==a100"],
        network="jh",
        extra={"placement": {"constraints": ["node.role==worker"]}, "container": {"user": "1000"}},
    )
    template = made["task_template"]
    assert template["RestartPolicy"]["Condition"] == "none"
    assert template["ContainerSpec"]["Labels"] == made["labels"] == {"l": "1"}
    assert template["ContainerSpec"]["User"] == "1000"
    assert template["Placement"]["Constraints"] == ["node.labels.gpu==a100", "node.role==worker"]
    assert template["Resources"]["Limits"] == {"NanoCPUs": 2_000_000_000, "MemoryBytes": 1024**3}
    assert template["Resources"]["Reservations"]["GenericResources"] == [
        {"DiscreteResourceSpec": {"Kind": "GPU", "Value": 1}}
    ]
    assert made["endpoint_spec"] == {"Mode": "dnsrr"}


def listed(name: str, **more: Any) -> dict[str, Any]:
    return {"Spec": {"ContainerSpec": {"Labels": {SERVICE_LABEL: name}}}, **more}


async def test_polls_of_a_thousand_servers_cost_one_call() -> None:
    async def list_tasks() -> list[dict[str, Any]]:
        await asyncio.sleep(0.05)
        return [listed(f"s{number}") for number in range(1000)]

    board = Board(list_tasks)
    found = await asyncio.gather(*(board.tasks(5) for _ in range(1000)))
    assert board.calls == 1
    assert len(found[0]) == 1000
    await board.tasks(5)
    assert board.calls == 1
    await board.tasks(0)
    assert board.calls == 2


async def test_newest_task_of_a_service_counts_and_others_tasks_do_not() -> None:
    async def list_tasks() -> list[dict[str, Any]]:
        return [
            listed("a", CreatedAt="2026-01-01", ID="old"),
            listed("a", CreatedAt="2026-01-02", ID="new"),
            {"Spec": {}, "ID": "somebody's"},
        ]

    tasks = await Board(list_tasks).tasks(0)
    assert {name: found["ID"] for name, found in tasks.items()} == {"a": "new"}


async def test_call_that_failed_is_told_to_all_who_waited_and_not_kept() -> None:
    answers: list[Any] = [RuntimeError("down"), []]

    async def list_tasks() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    board = Board(list_tasks)
    failed = await asyncio.gather(board.tasks(5), board.tasks(5), return_exceptions=True)
    assert [str(error) for error in failed] == ["down", "down"]
    assert await board.tasks(5) == {}


async def test_task_that_an_earlier_service_of_the_name_left_is_not_taken_for_the_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.bench.swarm import FakeDocker, spawner

    one = spawner("ours", 1, False)
    ended = {"Status": {"State": "complete", "ContainerStatus": {"ExitCode": 0}}, "DesiredState": "shutdown"}
    old = {**listed(one.object_name, ServiceID="the one before", CreatedAt="2026-01-01"), **ended}

    class Late(FakeDocker):
        """A manager that makes the new service's task a moment after the service."""

        looks = 0

        def tasks(self, filters: dict[str, str]) -> list[dict[str, Any]]:
            self.looks += 1
            made = [{**task, "CreatedAt": "2026-01-02"} for task in super().tasks(filters)]
            return [old, *made] if self.looks > 2 else [old]

    docker = Late()
    monkeypatch.setattr(type(one), "_client", docker, raising=False)
    assert await one.start() == (one.object_name, one.port)
    assert docker.looks > 2

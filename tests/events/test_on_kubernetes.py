"""An event on a real cluster: its seats are pods, their homes are claims, and the hub has the smallest role."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator

import pytest

from jupytercloud_hub.events.engine import SeatEngine
from jupytercloud_hub.settings import load
from jupytercloud_hub.spawners.base import slug
from tests.support.engines_kubernetes import Kubernetes
from tests.support.event_hub import EventHub
from tests.support.ports import free_port
from tests.support.story import steps_before

from . import on_engine
from .on_engine import Engine

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def namespace(kubernetes: Kubernetes) -> Iterator[str]:
    kubernetes.need_own("a hub on this machine that pods reach")
    with kubernetes.namespace() as name:
        yield name


@pytest.fixture(scope="module")
def environ(
    kubernetes: Kubernetes, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    account = kubernetes.account(namespace, tmp_path_factory.mktemp("account"))
    with pytest.MonkeyPatch.context() as patch:  # the commands are run in this process
        patch.setenv("KUBECONFIG", str(account))
        yield dict(os.environ)


@pytest.fixture(scope="module")
def hub(
    kubernetes: Kubernetes, namespace: str, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EventHub]:
    site = (
        'site: {name: labo, url: "http://127.0.0.1:8000/labo/"}\n'
        f"spawner: {{backend: kubernetes, kubernetes: {{namespace: {namespace}, home: {{capacity: 50 MiB}}}}}}\n"
    )
    hub = on_engine.made(
        tmp_path_factory.mktemp("kubernetes-event"), site + on_engine.profile(), kubernetes.gateway(), environ,
        # At once: a kubelet of 1.20 may let an ended pod go only after minutes, and stops are not the subject here.
        free_port(), after="c.KubeSpawner.delete_grace_period = 0\n",
    )  # fmt: skip
    try:
        yield hub
    finally:
        hub.end()


@pytest.fixture(scope="module")
def engine(kubernetes: Kubernetes, namespace: str) -> Engine:
    def names(kind: str) -> list[str]:
        return [item["metadata"]["name"] for item in kubernetes.get(kind, namespace=namespace)["items"]]

    def inside(account: str, command: str) -> str:
        wanted = f"jupytercloud.hub/user={slug(account)}"
        (pod,) = kubernetes.get("pods", "-l", wanted, namespace=namespace)["items"]
        return kubernetes.exec(namespace, pod["metadata"]["name"], "sh", "-c", command)

    return Engine(lambda: names("persistentvolumeclaims"), lambda: names("pods"), inside)


@pytest.fixture(autouse=True)
def story(request: pytest.FixtureRequest) -> None:
    steps_before(request)


def test_a_code_opens_a_warm_seat(hub: EventHub, engine: Engine) -> None:
    on_engine.warm_and_enter(hub, engine)


def test_a_seat_that_is_reset_has_a_new_claim(hub: EventHub, engine: Engine) -> None:
    on_engine.reset(hub, engine)


def test_work_is_read_before_the_pods_go(hub: EventHub, engine: Engine) -> None:
    on_engine.close(hub, engine)


async def test_a_claim_that_is_being_deleted_is_there_until_it_is_gone(
    hub: EventHub, kubernetes: Kubernetes, namespace: str
) -> None:
    seats, whose = SeatEngine(load(hub.settings)), slug("seat-0003")
    (claim,) = (await seats.homes())[whose]

    def held_by(*finalizers: str) -> None:
        change = json.dumps({"metadata": {"finalizers": list(finalizers)}})
        kubernetes.kubectl("patch", "pvc", claim, "-n", namespace, "--type=merge", "-p", change)

    held_by("tests.jupytercloud.hub/held")
    removal = asyncio.create_task(seats.remove_homes("seat-0003"))
    while "deletionTimestamp" not in kubernetes.get("pvc", claim, namespace=namespace)["metadata"]:
        await asyncio.sleep(0.2)
    assert (await seats.homes())[whose] == [claim], "the purge attests nothing that is still there"
    assert not removal.done()
    held_by()
    await removal
    assert whose not in await seats.homes()


def test_a_purge_that_was_killed_ends_and_leaves_no_pod_and_no_claim(
    hub: EventHub, engine: Engine, environ: dict[str, str]
) -> None:
    on_engine.purge(hub, engine, environ)

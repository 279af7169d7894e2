"""An event on a real Swarm: its seats are services, their homes are volumes of whichever machine has them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jupytercloud_hub.spawners.base import slug
from tests.support.engines import RUN
from tests.support.engines_swarm import Swarm
from tests.support.event_hub import EventHub
from tests.support.ports import free_port
from tests.support.story import steps_before

from . import on_engine
from .on_engine import Engine

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]
HUB = "jupytercloud.hub/hub=salon"


@pytest.fixture(scope="module")
def environ(swarm: Swarm) -> Iterator[dict[str, str]]:
    swarm.need_own("volumes of every machine")
    with pytest.MonkeyPatch.context() as patch:  # the commands are run in this process
        patch.setenv("DOCKER_HOST", swarm.host)
        yield dict(os.environ)


@pytest.fixture(scope="module")
def hub(swarm: Swarm, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventHub]:
    site = (
        'site: {name: labo, url: "http://127.0.0.1:8000/labo/"}\n'
        "spawner: {backend: swarm, swarm: {reach: host-port, home: {type: volume}}}\n"
    )
    hub = on_engine.made(
        tmp_path_factory.mktemp("swarm-event"), site + on_engine.profile(), swarm.gateway(), environ, free_port(),
        [f"unix://{RUN}/swarm/{node}/engine/docker.sock" for node in swarm.nodes],
    )  # fmt: skip
    try:
        yield hub
    finally:
        hub.end()
        for service in swarm.client.api.services(filters={"label": HUB}):
            swarm.client.api.remove_service(service["ID"])


@pytest.fixture(scope="module")
def engine(swarm: Swarm) -> Engine:
    def homes() -> list[str]:
        return [
            volume.name
            for node in swarm.nodes
            for volume in swarm.client_of(node).volumes.list()
            if volume.name.startswith("jupytercloud-salon-")
        ]

    def servers() -> list[str]:
        services = swarm.client.api.services(filters={"label": HUB})
        containers = [
            str(container.labels.get("com.docker.swarm.service.name"))
            for node in swarm.nodes
            for container in swarm.client_of(node).containers.list()
        ]
        names = [service["Spec"]["Name"] for service in services]
        return [*names, *(name for name in containers if "salon" in name)]

    def inside(account: str, command: str) -> str:
        services = swarm.client.api.services(filters={"label": HUB})
        found = {service["Spec"]["Labels"]["jupytercloud.hub/user"]: service["Spec"]["Name"] for service in services}
        return swarm.exec(found[slug(account)], "sh", "-c", command)

    return Engine(homes, servers, inside)


@pytest.fixture(autouse=True)
def story(request: pytest.FixtureRequest) -> None:
    steps_before(request)


def test_a_code_opens_a_warm_seat(hub: EventHub, engine: Engine) -> None:
    on_engine.warm_and_enter(hub, engine)


def test_a_seat_that_is_reset_has_a_new_volume(hub: EventHub, engine: Engine) -> None:
    on_engine.reset(hub, engine)


def test_work_is_read_before_the_services_go(hub: EventHub, engine: Engine) -> None:
    on_engine.close(hub, engine)


def test_a_purge_that_was_killed_ends_and_leaves_no_service_and_no_volume(
    hub: EventHub, engine: Engine, environ: dict[str, str]
) -> None:
    on_engine.purge(hub, engine, environ)

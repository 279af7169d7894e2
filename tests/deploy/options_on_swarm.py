"""What is optional in a Swarm's stack, on a real Swarm: placed, routed, mounted, and within reach of what it needs.

Grafana and Portainer themselves are not run: in their images' place stands a server that tells how it was started.

Not collected by itself: it takes minutes. As root:

    python -m pytest -s -m engines tests/deploy/options_on_swarm.py
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from ruamel.yaml import YAML

from tests.deploy.test_stack import MORE
from tests.support.engines import LIGHT
from tests.support.engines_swarm import Swarm
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1200), pytest.mark.asyncio(loop_scope="module")]

PORTS = {"grafana": 3000, "portainer": 9000, "portainer-agent": 9001}
DOCKERFILE = f"""FROM {LIGHT}
USER 0
ENV JUPYTERHUB_SERVICE_URL=http://0.0.0.0:%d/
ENTRYPOINT ["/bin/light-server"]
CMD []
"""


def stand_in_for_their_images(stack: StackOnSwarm) -> None:
    for file in MORE:
        for name, service in YAML(typ="safe").load(stack.folder / file)["services"].items():
            for node in stack.swarm.nodes:
                stack.swarm.client_of(node).images.build(
                    fileobj=io.BytesIO((DOCKERFILE % PORTS[name]).encode()), tag=service["image"], network_mode="none"
                )
    for node in stack.swarm.nodes:
        stack.swarm.on_node(node, "ln", "-sfn", "/engine/docker.sock", "/run/docker.sock")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackOnSwarm]:
    async with stack_on_swarm(swarm, tmp_path_factory.mktemp("stack"), prepare=stand_in_for_their_images) as made:
        optional = " ".join(f"-c {name}" for name in MORE)
        made.manager(f"cd {made.there} && STACK={made.name} ./deploy.sh -c own.yaml {optional}")
        made.all_run()
        yield made


def shown(stack: StackOnSwarm, name: str) -> dict[str, Any]:
    """What the program of that name was started with, as a browser at its address is told through Traefik."""
    with stack.client(headers={"Host": f"{name}.{stack.address}"}) as client:
        answer = until(lambda: (got := client.get("/")).status_code == 200 and got, 60, lambda: stack.logs("traefik"))
    return dict(json.loads(answer.text))


async def test_grafana_has_its_password_its_dashboards_and_the_stacks_prometheus(stack: StackOnSwarm) -> None:
    told = shown(stack, "grafana")["environment"]
    assert told["GF_SERVER_ROOT_URL"] == f"https://grafana.{stack.address}/"
    password = told["GF_SECURITY_ADMIN_PASSWORD__FILE"]
    assert stack.exec("grafana", "cat", password, user="472") == stack.secrets()["grafana_password"]
    provisioned = "/etc/grafana/provisioning"
    (boards,) = YAML(typ="safe").load(
        stack.exec("grafana", "cat", f"{provisioned}/dashboards/jupytercloud.yml", user="472")
    )["providers"]
    folder = boards["options"]["path"]
    for name in stack.exec("grafana", "ls", folder).split():
        assert json.loads(stack.exec("grafana", "cat", f"{folder}/{name}", user="472"))["panels"]
    (source,) = YAML(typ="safe").load(
        stack.exec("grafana", "cat", f"{provisioned}/datasources/prometheus.yml", user="472")
    )["datasources"]
    answer = json.loads(stack.exec("grafana", "wget", "-q", "-O", "-", f"{source['url']}/api/v1/query?query=up"))
    assert {one["metric"]["job"] for one in answer["data"]["result"]} >= {"hub", "quotas", "culler", "traefik", "node"}


async def test_portainer_finds_an_agent_on_each_machine_and_nobody_else_does(stack: StackOnSwarm) -> None:
    arguments = shown(stack, "portainer")["args"]
    agents = arguments[arguments.index("-H") + 1].removeprefix("tcp://").partition(":")[0]
    found = stack.exec("portainer", "nslookup", agents)
    assert found.split("Name:", 1)[1].count("Address") == len(stack.swarm.nodes), found
    assert stack.exec("portainer-agent", "ls", "/var/run/docker.sock").strip() == "/var/run/docker.sock"
    with pytest.raises(RuntimeError):
        stack.exec("grafana", "nslookup", agents)

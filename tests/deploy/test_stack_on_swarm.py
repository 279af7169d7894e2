"""The stack of ``jupytercloud stack init`` on a real Swarm, from its deploy command to a dump that is restored.

Real: Traefik, HAProxy, PostgreSQL, Prometheus and node exporter (Debian's and PyPI's, in images that stand for the
registry's), the hub's image built from ``images/hub``, LemonLDAP::NG, autofs for ``/cvmfs``.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from ruamel.yaml import YAML

from jupytercloud_hub.deploy.stack import Stack, render
from tests.support.acme import pebble
from tests.support.engine_people import Person
from tests.support.engines import LIGHT
from tests.support.engines_cvmfs import cvmfs
from tests.support.engines_swarm import Swarm
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1700), pytest.mark.asyncio(loop_scope="module")]

meanwhile = asyncio.to_thread
"""What an administrator does while a websocket is open: its pings are answered."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackOnSwarm]:
    with cvmfs("swarm"):
        async with stack_on_swarm(swarm, tmp_path_factory.mktemp("stack")) as made:
            yield made


async def test_a_person_logs_in_starts_a_server_computes_and_reads_cvmfs(stack: StackOnSwarm) -> None:
    async with Person(stack, "dwho") as person:
        await person.log_in()
        await person.start("calcul")
        async with person.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"
            assert await kernel.run("open('/cvmfs/sft.cern.ch/NAME').read().strip()") == "'sft.cern.ch'"
    stack.all_run()


async def test_prometheus_sees_all_parts_and_the_server_that_runs(stack: StackOnSwarm) -> None:
    def up() -> bool:
        found = {one["metric"]["job"]: one["value"][1] for one in stack.metric("min by (job) (up)")}
        return found == dict.fromkeys(("hub", "quotas", "culler", "traefik", "node"), "1")

    until(up, 180, lambda: stack.metric("up"))
    until(lambda: stack.metric("jupyterhub_running_servers >= 1"), 120)
    assert len(stack.metric('up{job="node"}')) == len(stack.swarm.nodes)


async def test_a_hub_that_is_replaced_is_not_noticed_in_a_notebook(stack: StackOnSwarm) -> None:
    async with Person(stack, "dwho") as person:
        await person.log_in()
        async with person.kernel() as kernel:
            await kernel.run("kept = 'before the update'")
            hub, newest = stack.service("hub"), partial(stack.swarm.task, stack.service("hub"))
            before = newest()["ID"]
            await meanwhile(stack.manager, f"docker service update --detach --force {hub}")
            await meanwhile(until, lambda: newest(state=None)["ID"] != before, 120)
            assert await kernel.run("kept") == "'before the update'", "while there is no hub"
            assert (await meanwhile(newest, timeout=600))["ID"] != before, "the new one is healthy"
            await meanwhile(stack.healthy)
            assert await kernel.run("kept") == "'before the update'", "on the same websocket"
            assert kernel.opened == 1
        assert await person.server_is_ready()


HOST, ISSUER = "hub.labo.example", "https://login.example.fr"


def shown_for(host: str, address: str, port: int, root: str) -> bool:
    """Whether a certificate for this name is shown there that is believed under this root."""
    trust = ssl.create_default_context(cadata=root)
    with (
        contextlib.suppress(OSError),
        socket.create_connection((address, port), 10) as plain,
        trust.wrap_socket(plain, server_hostname=host),
    ):
        return True
    return False


async def test_traefik_gets_a_certificate_by_acme_with_what_the_stack_says(stack: StackOnSwarm, tmp_path: Path) -> None:
    """The shipped arguments and labels, in containers of their own: the stack has the ports."""
    with pebble(tmp_path, stack.swarm.gateway(), stack.pems, stack.address, 5002) as authority:
        texts = render(Stack(site="labo", url=f"https://{HOST}/", issuer=ISSUER, acme_server=authority.directory))
        services = YAML(typ="safe").load(texts["stack.yaml"])["services"]
        words = [
            word.replace("swarm.endpoint=tcp://socket-traefik:2375", "docker").replace("swarm", "docker")
            for word in services["traefik"]["command"]
        ]
        shutil.copy(stack.pems["authority"], stack.folder / "acme.pem")
        labels = [f"--label={name}={value}" for name, value in services["proxy"]["deploy"]["labels"].items()]
        run = ["docker", "run", "-d", "--label=acme-test"]
        mounts = ["-v", "/engine/docker.sock:/var/run/docker.sock", "-v", f"{stack.there}/acme.pem:/acme.pem"]
        options = [*mounts, "-v", "/acme", "-p", "5002:80", "-p", "5003:443", "-e", "LEGO_CA_CERTIFICATES=/acme.pem"]
        try:
            stack.manager(shlex.join([*run, *labels, LIGHT]))
            traefik = stack.manager(shlex.join([*run, *options, services["traefik"]["image"], *words])).strip()
            root = authority.root()
            until(
                lambda: shown_for(HOST, stack.address, 5003, root),
                120,
                lambda: stack.manager(f"docker logs {traefik} 2>&1") + (tmp_path / "pebble.log").read_text(),
            )
        finally:
            stack.manager("docker rm -f $(docker ps -aq -f label=acme-test)")


async def test_a_dump_brings_people_and_accounts_back_on_an_empty_stack(stack: StackOnSwarm) -> None:
    name = "dwho@univ-gallifrey.example"
    # Where the start was not told in time, the quota service finds the server at its next look, once a minute.
    intervals = until(lambda: stack.sql("jupytercloud", "select id from quotas_interval"), 150)
    key = ("hub", "sh", "-c", "cat /var/lib/jupytercloud/check_token")
    kept = stack.exec(*key)
    took = stack.restore_on_an_empty_stack()
    print(f"\nrestored on an empty stack in {took:.0f} s")
    assert stack.exec(*key) == kept, "the volume with the hub's keys too"
    assert name in stack.sql("jupyterhub", "select name from users")
    assert set(intervals) <= set(stack.sql("jupytercloud", "select id from quotas_interval"))
    async with Person(stack, "dwho") as person:
        await person.log_in()
        assert not await person.server_is_ready(), "what ran on the lost machines is not believed to run"
        await person.start("calcul")
        async with person.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"

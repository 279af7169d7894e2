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

from jupytercloud_hub.deploy.stack import CERTIFICATE, Stack, render
from tests.support.acme import pebble
from tests.support.engines import LIGHT
from tests.support.engines_cvmfs import cvmfs
from tests.support.engines_swarm import Swarm
from tests.support.swarm_people import Person
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until
from tests.support.university import certificates

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


TOKENS = ("quotas_token", "culler_token", "hub_client_token", "prometheus_token")


def known_to_the_hub(stack: StackOnSwarm, tokens: dict[str, str]) -> set[str]:
    """Return which of these tokens the hub takes."""
    with stack.client() as client:
        asked = {
            name: client.get("hub/api/user", headers={"Authorization": f"token {token}"}).status_code
            for name, token in tokens.items()
        }
    assert set(asked.values()) <= {200, 403}, asked
    return {name for name, status in asked.items() if status == 200}


def password_opens_the_database(stack: StackOnSwarm, password: str) -> bool:
    line = f"PGPASSWORD={password} psql -h db -U jupytercloud -c 'select 1' >/dev/null && echo opens || echo refused"
    return stack.exec("backup", "sh", "-c", line).endswith("opens\n")


async def test_every_secret_is_rotated_as_the_docs_say_while_somebody_computes(stack: StackOnSwarm) -> None:
    before, kept = stack.secrets(), "'before any new secret'"
    async with Person(stack, "dwho") as person, Person(stack, "rtyler") as another:
        await person.log_in()
        async with person.kernel() as kernel:
            await kernel.run(f"kept = {kept}")
            await stack.provider.new_client_secret("another-secret-of-the-hub")
            (stack.folder / "secrets" / "client_secret").write_text("another-secret-of-the-hub")
            await meanwhile(stack.as_written, "secrets.md", "What nobody notices")
            await meanwhile(stack.settled, "hub", "quotas", "culler", "db", "backup", "prometheus")
            assert await kernel.run("kept") == kept, "on the same websocket"
        assert await person.server_is_ready(), "she is still logged in"
        now = stack.secrets()
        assert {name for name in now if now[name] == before[name]} == {"cookie_secret", "proxy_token", *CERTIFICATE}
        assert known_to_the_hub(stack, {name: now[name] for name in TOKENS}) == set(TOKENS)
        assert known_to_the_hub(stack, {name: before[name] for name in TOKENS}) == set()
        assert password_opens_the_database(stack, now["database_password"])
        assert not password_opens_the_database(stack, before["database_password"])
        await another.log_in()  # by the new client secret
        until(lambda: {one["value"][1] for one in stack.metric("up")} == {"1"}, 120, lambda: stack.metric("up"))

        async with person.kernel(kernel.number) as kernel:
            serial = stack.certificate_shown().serial_number
            pems = certificates(stack.folder / "new", stack.address, by=stack.pems)
            for name in ("certificate", "key"):
                shutil.copy(pems[name], stack.folder / "secrets" / f"tls_{name}")
            await meanwhile(stack.as_written, "secrets.md", "A pause of some seconds")
            await meanwhile(stack.settled, "traefik", "proxy", "hub")
            assert await kernel.is_closed()
            assert stack.certificate_shown().serial_number != serial
        async with person.kernel(kernel.number) as kernel:
            assert await kernel.run("kept") == kept, "websockets are opened anew, and nobody logs in"

        stack.as_written("secrets.md", "Everybody logs in again")
        stack.settled("hub")
        assert "/hub/login" in (await person.http.get(f"{stack.url}hub/home")).headers["location"]
        await person.log_in()
        assert await person.server_is_ready()
        async with person.kernel(kernel.number) as kernel:
            assert await kernel.run("kept") == kept, "servers go on"

        stack.as_written("secrets.md", "A month later")
        stack.settled("hub")
        assert stack.secrets()["crypt_key"] == now["crypt_key"].partition(";")[0]
        await person.stop()
        await person.start("calcul")  # by what the hub keeps encrypted of her, and the new tokens of admission
        assert "Failed to retrieve encrypted auth_state" not in stack.logs("hub", 1000)
    rotated = stack.secrets()
    assert not [name for name in before if rotated[name] == before[name]], "every one"


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
    intervals = stack.sql("jupytercloud", "select id from quotas_interval")
    assert intervals
    took = stack.restore_on_an_empty_stack()
    print(f"\nrestored on an empty stack in {took:.0f} s")
    assert name in stack.sql("jupyterhub", "select name from users")
    assert set(intervals) <= set(stack.sql("jupytercloud", "select id from quotas_interval"))
    async with Person(stack, "dwho") as person:
        await person.log_in()
        assert not await person.server_is_ready(), "what ran on the lost machines is not believed to run"
        await person.start("calcul")
        async with person.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"

"""Secrets of a Swarm's stack are rotated by the commands of `docs/howto/secrets.md`, while somebody computes.

Not collected by itself: it takes minutes. As root:

    python -m pytest -s -m engines tests/deploy/secrets_on_swarm.py
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from jupytercloud_hub.deploy.stack import CERTIFICATE, OPTIONAL
from tests.support.engine_people import Person
from tests.support.engines_swarm import Swarm
from tests.support.notebook_image import in_all_profiles, load_notebook_of_ours
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until
from tests.support.university import certificates

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1700), pytest.mark.asyncio(loop_scope="module")]

meanwhile = asyncio.to_thread
"""What an administrator does while a websocket is open: its pings are answered."""
TOKENS = ("quotas_token", "culler_token", "hub_client_token", "prometheus_token")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackOnSwarm]:
    folder: Path = tmp_path_factory.mktemp("stack")
    load_notebook_of_ours(swarm, folder / "wheel")
    async with stack_on_swarm(swarm, folder, prepare=lambda made: made.settings(in_all_profiles)) as made:
        yield made


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


async def test_secrets_are_rotated_as_the_docs_say_while_somebody_computes(stack: StackOnSwarm) -> None:
    before, kept = stack.secrets(), "'before any new secret'"
    async with Person(stack, "dwho") as person, Person(stack, "rtyler") as another:
        await person.log_in()
        await person.start("calcul")
        async with person.kernel() as kernel:
            await kernel.run(f"kept = {kept}")
            await stack.provider.new_client_secret("another-secret-of-the-hub")
            (stack.folder / "secrets" / "client_secret").write_text("another-secret-of-the-hub")
            await meanwhile(stack.as_written, "secrets.md", "What nobody notices")
            await meanwhile(stack.settled, "hub", "quotas", "culler", "db", "backup", "prometheus")
            assert await kernel.run("kept") == kept, "on the same websocket"
        assert await person.server_is_ready(), "she is still logged in"
        now = stack.secrets()
        left = {"proxy_token", *CERTIFICATE, *OPTIONAL}
        assert {name for name in now if now[name] == before[name]} == {"cookie_secret", *left}
        assert known_to_the_hub(stack, {name: now[name] for name in TOKENS}) == set(TOKENS)
        assert known_to_the_hub(stack, {name: before[name] for name in TOKENS}) == set()
        assert password_opens_the_database(stack, now["database_password"])
        assert not password_opens_the_database(stack, before["database_password"])
        await another.log_in()  # by the new client secret
        until(lambda: {one["value"][1] for one in stack.metric("up")} == {"1"}, 120, lambda: stack.metric("up"))

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
    assert {name for name in before if rotated[name] == before[name]} == left, "for later"


async def test_proxy_and_traefik_are_replaced_with_the_proxys_token_and_the_certificate(stack: StackOnSwarm) -> None:
    """The kernel goes on; the page comes back with the proxy, whose new address the server asks the system for."""
    token, serial = stack.secrets()["proxy_token"], stack.certificate_shown().serial_number
    async with Person(stack, "dwho") as person:
        await person.log_in()
        await person.start("calcul")
        async with person.kernel() as kernel:
            await kernel.run("kept = 1")
            pems = certificates(stack.folder / "new", stack.address, by=stack.pems)
            for name in ("certificate", "key"):
                shutil.copy(pems[name], stack.folder / "secrets" / f"tls_{name}")
            await meanwhile(stack.as_written, "secrets.md", "A pause of some seconds")
            await meanwhile(stack.settled, "traefik", "proxy", "hub")
            assert await kernel.is_closed()
        assert stack.secrets()["proxy_token"] != token
        assert stack.certificate_shown().serial_number != serial
        began = time.monotonic()
        async with Person(stack, person.account) as elsewhere:  # another browser: her server asks the hub who that is
            await elsewhere.log_in()
            while (await elsewhere.get(f"{stack.url}user/{person.name}/lab")).status_code != 200:
                assert time.monotonic() - began < 60, "an address that was kept would be kept for ten minutes"
                await asyncio.sleep(1)
            print(f"\nher server's page came {time.monotonic() - began:.0f} s after proxy and hub, with her login")
            async with elsewhere.kernel(kernel.number) as kernel:
                assert await kernel.run("kept") == "1"

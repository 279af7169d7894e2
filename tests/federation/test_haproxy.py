"""The shipped balancer configuration before two replicas: links stay as they are, dead replicas are not noticed."""

import asyncio
import contextlib
import os
import shutil

import httpx
import pytest

from tests.federation.conftest import PREFIX, portal_of, write_portal
from tests.support import ROOT
from tests.support.ports import free_port

pytestmark = pytest.mark.engines
CONFIG = ROOT / "config/portal/haproxy.cfg"
LINK = "go/hub/user-redirect/lab/tree/a%20b.ipynb?reset&x=1%2F2&p=a%20b&&q=//"


@pytest.fixture
async def balanced(tmp_path, sites, postgresql_url):
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.fail("haproxy is not installed: apt install haproxy")
    stacks, portals = [], []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        file = write_portal(tmp_path / name, sites, more=f'database: {{url: "{postgresql_url}"}}')
        stacks.append(contextlib.AsyncExitStack())
        portals.append(await stacks[-1].enter_async_context(portal_of(file)))
    port = free_port()
    environment = {
        **os.environ, "PORTAL_BIND": f"127.0.0.1:{port}", "PORTAL_PATH": "/portal/",
        "REPLICA_ONE": f"127.0.0.1:{portals[0].port}", "REPLICA_TWO": f"127.0.0.1:{portals[1].port}",
        "HUB": f"127.0.0.1:{free_port()}",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(program, "-db", "-f", str(CONFIG), env=environment)
    try:
        for portal in portals:
            await portal.until(grenoble="up", reims="up", paris_saclay="up")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(httpx.HTTPError):
                        if (await client.get(f"{PREFIX}health")).status_code == 200:
                            break
                    await asyncio.sleep(0.1)
            yield client, portals, stacks
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        for stack in stacks:
            await stack.aclose()


async def test_links_go_through_the_balancer_byte_for_byte_and_a_dead_replica_is_not_noticed(balanced, sites):
    client, portals, stacks = balanced

    async def visit() -> httpx.Response:
        request = client.build_request("GET", "/", headers={"Cookie": "service-federation=marie"})
        request.extensions["target"] = (PREFIX + LINK).encode()
        return await client.send(request)

    for _ in range(10):
        assert (await visit()).headers["Location"] == sites["grenoble"].url + LINK.removeprefix("go/")
    assert all(portal.hub.asked for portal in portals)
    await stacks[0].aclose()
    statuses = [(await visit()).status_code for _ in range(40)]
    assert set(statuses) == {302}

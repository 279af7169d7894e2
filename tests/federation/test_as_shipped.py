"""The files of config/portal together: a real hub, two replicas that it does not start, PostgreSQL, HAProxy.

Only addresses, folders, secrets and the way in are the test's own; the login is JupyterHub's, with a made-up person.
"""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urljoin

import httpx
import pytest
from ruamel.yaml import YAML

from tests.federation.conftest import FakeSite
from tests.federation.test_site_alone import LOGIN
from tests.support import ROOT
from tests.support.hub_process import HubProcess
from tests.support.ports import free_port

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]
SHIPPED = ROOT / "config/portal"
PATH = "/portail/"
LINK = f"{PATH}services/federation/go/hub/user-redirect/lab/tree/a.ipynb?reset"


def unit_command() -> list[str]:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(SHIPPED / "jupytercloud-federation.service")
    assert unit["Service"]["EnvironmentFile"].endswith("/federation.env")
    return shlex.split(unit["Service"]["ExecStart"])


def shipped_environment() -> dict[str, str]:
    lines = (SHIPPED / "federation.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def settings_for(folder: Path, balancer: int, replica: int, database: str, sites: dict[str, FakeSite]) -> Path:
    """Write the shipped settings with this test's addresses; each replica stands on a machine of its own."""
    folder.mkdir(exist_ok=True)
    shipped = YAML(typ="safe").load(SHIPPED / "jupytercloud.yaml")
    shipped["site"].update(url=f"http://127.0.0.1:{balancer}{PATH}", state=str(folder / "state"))
    shipped["site"]["cookie_host_prefix"] = False  # browsers take such cookies over https alone
    shipped["site"]["service_urls"]["federation"] = f"http://127.0.0.1:{replica}"
    del shipped["auth"]
    shipped["database"] = {"url": database}
    shipped["federation"]["cookie_secret"] = {"file": str(folder.parent / "cookie_secret")}
    for site in shipped["federation"]["sites"]:
        site["url"] = sites[site["name"]].url
    file = folder / "jupytercloud.yaml"
    YAML().dump(shipped, file)
    return file


class Stand(SimpleNamespace):
    """The balancer's address, and the replicas' processes."""

    url: str
    replicas: list[asyncio.subprocess.Process]
    logs: list[Path]
    ports: list[int]


@pytest.fixture
async def stand(tmp_path: Path, sites: dict[str, FakeSite], postgresql_url: str) -> AsyncIterator[Stand]:
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    assert haproxy, "haproxy is not installed: make test-engines installs it"
    (tmp_path / "cookie_secret").write_text(secrets.token_hex(32))
    balancer, ports = free_port(), [free_port(), free_port()]
    (tmp_path / "hub").mkdir()
    text = settings_for(tmp_path / "hub", balancer, ports[0], postgresql_url, sites).read_text()
    hub = HubProcess(tmp_path / "hub", text, after=LOGIN + "\nc.Authenticator.allow_all = True\n", path=PATH)
    environment = shipped_environment()
    environment["JUPYTERCLOUD_FEDERATION_API_TOKEN"] = secrets.token_hex(32)
    environment["JUPYTERHUB_API_URL"] = hub.api
    environment["JUPYTERHUB_BASE_URL"] = PATH
    processes: list[asyncio.subprocess.Process] = []
    logs = []
    try:
        hub.start(JUPYTERCLOUD_FEDERATION_API_TOKEN=environment["JUPYTERCLOUD_FEDERATION_API_TOKEN"])
        for name, port in zip(("one", "two"), ports, strict=True):
            file = settings_for(tmp_path / name, balancer, port, postgresql_url, sites)
            command = unit_command()
            assert command[-2:] == ["--config", "/etc/jupytercloud/jupytercloud.yaml"]
            own = {**os.environ, **environment, "JUPYTERCLOUD_FEDERATION_URL": f"http://127.0.0.1:{port}"}
            logs.append(tmp_path / f"{name}.log")
            with logs[-1].open("wb") as log:
                program = [sys.executable, "-m", "jupytercloud_hub", *command[1:-1], str(file)]
                started = asyncio.create_subprocess_exec(*program, cwd=ROOT, env=own, stdout=log, stderr=log)
                processes.append(await started)
        balanced = {
            "PORTAL_BIND": f"127.0.0.1:{balancer}", "PORTAL_PATH": PATH, "HUB": f"127.0.0.1:{hub.port}",
            "REPLICA_ONE": f"127.0.0.1:{ports[0]}", "REPLICA_TWO": f"127.0.0.1:{ports[1]}",
        }  # fmt: skip
        config = str(SHIPPED / "haproxy.cfg")
        front = asyncio.create_subprocess_exec(haproxy, "-db", "-f", config, env={**os.environ, **balanced})
        processes.append(await front)
        await asyncio.to_thread(hub.wait)
        yield Stand(url=f"http://127.0.0.1:{balancer}", replicas=processes[:2], logs=logs, ports=ports)
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
        hub.end()


async def until_both_are_well(stand: Stand) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client, asyncio.timeout(90):
        for base in (*(f"http://127.0.0.1:{port}" for port in stand.ports), stand.url):
            while True:
                with contextlib.suppress(httpx.HTTPError, ValueError):
                    told = (await client.get(f"{base}{PATH}services/federation/health")).json()
                    if set(told.get("sites", {}).values()) == {"up"}:
                        break
                await asyncio.sleep(0.1)


async def follow(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """Follow redirects, up to one that leads to a site."""
    answer = await client.get(url)
    for _ in range(20):
        if not answer.is_redirect or "/site/" in answer.headers["Location"]:
            return answer
        answer = await client.get(urljoin(str(answer.url), answer.headers["Location"]))
    raise AssertionError("redirected for ever")


async def log_in(stand: Stand, name: str) -> str:
    """Follow a link as somebody who is not logged in, and return the Location where she ends."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        page = await follow(client, f"{stand.url}{LINK}")
        action = unescape(re.search(r'<form[^>]* action="([^"]+login[^"]*)"', page.text)[1])
        xsrf = re.search(r'name="_xsrf"\s+value="([^"]+)"', page.text)[1]
        form = {"username": name, "password": "x", "_xsrf": xsrf}
        answer = await client.post(urljoin(str(page.url), action), data=form)
        answer = await follow(client, urljoin(str(answer.url), answer.headers["Location"]))
        return answer.headers["Location"]


def replica_of(stand: Stand, line: str, read: list[int]) -> int:
    """Return which replica logged the first such line after what was read of the logs."""
    found = {}
    for number, log in enumerate(stand.logs):
        when = re.search(
            rf"\[I (\S+ \S+) [^\n]*302 GET {PATH}services/federation/{line}", log.read_text()[read[number] :]
        )
        if when:
            found[when[1]] = number
    return found[min(found)]


async def test_logins_go_over_both_replicas_that_the_hub_did_not_start_and_one_may_die(stand, sites):
    await until_both_are_well(stand)
    home = await log_in(stand, "marie")
    site = home.removesuffix("hub/user-redirect/lab/tree/a.ipynb?reset")
    assert site in {sites[name].url for name in ("grenoble", "reims")}
    crossed = False
    for _ in range(20):  # the balancer sends in turn, each of its threads by itself
        read = [len(log.read_text()) for log in stand.logs]
        assert await log_in(stand, "marie") == home
        crossed = replica_of(stand, "go/", read) != replica_of(stand, "oauth_callback", read)
        if crossed:
            break
    assert crossed, "no login began at one replica and ended at the other"
    stand.replicas[0].send_signal(signal.SIGKILL)
    await stand.replicas[0].wait()
    assert await log_in(stand, "marie") == home

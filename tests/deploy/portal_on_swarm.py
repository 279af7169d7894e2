"""A portal on a Swarm, lost, and put up on another Swarm from its settings, its secrets and a dump.

Two sites belong to it, each a real agent beside a stand-in of its hub: what they hold (keys, the portal's address) is
not touched by the loss.

Not collected by itself: it takes minutes. As root:

    python -m pytest -s -m engines tests/deploy/portal_on_swarm.py
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support import ROOT
from tests.support.engine_people import Person
from tests.support.engines import RUN
from tests.support.engines_swarm import Swarm
from tests.support.lemonldap import ORGANIZATION, log_in
from tests.support.ports import free_port
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1500), pytest.mark.asyncio(loop_scope="module")]

LINK = "services/federation/go/hub/user-redirect/lab/tree/a.ipynb?reset"
SITE = """
site: {{name: {name}, url: "{url}", state: ./state}}
profiles: [{{name: lab, title: Carnet}}]
spawner: {{backend: local, places: {{"*": 3}}}}
federation: {{portal: {{url: "{portal}", interval: 1 s}}}}
"""


class Site:
    """A site's folder, its agent, and a stand-in of its hub over https."""

    def __init__(self, folder: Path, name: str, portal: StackOnSwarm) -> None:
        address = portal.swarm.gateway()
        self.name, self.port, self.portal = name, free_port(address), portal
        self.address, self.url = address, f"https://{address}:{self.port}/site/"
        self.folder = folder / name
        self.folder.mkdir()
        self.settings = self.folder / "jupytercloud.yaml"
        self.settings.write_text(SITE.format(name=name, url=self.url, portal=portal.url))
        self.pem = self.folder / "both.pem"
        self.pem.write_bytes(portal.pems["both"].read_bytes() + portal.pems["authority"].read_bytes())

    def jupytercloud(self, *command: str) -> str:
        """Run a command on the site."""
        program = [sys.executable, "-m", "jupytercloud_hub", *command, "--config", str(self.settings)]
        environment = {**os.environ, "SSL_CERT_FILE": str(self.portal.pems["authority"])}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        program = [sys.executable, "-m", "tests.federation.site_process", str(self.settings)]
        with (self.folder / "site.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *program, self.address, str(self.port), str(self.pem), cwd=ROOT, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def jupytercloud(portal: StackOnSwarm, *command: str) -> str:
    """Run a command at the portal, in one of its replicas."""
    return portal.exec("federation", "jupytercloud", *command, "--config", "/etc/jupytercloud/jupytercloud.yaml")


def sites_of(portal: StackOnSwarm) -> dict[str, Any]:
    with portal.client() as client:
        answer = client.get("services/federation/api/v1/status")
        return {site["name"]: site for site in answer.json()["sites"]} if answer.status_code == 200 else {}


def heard(portal: StackOnSwarm) -> dict[str, bool]:
    """Return site → whether it is up, and its heartbeats are believed."""
    return {name: site["state"] == "up" and bool(site["heartbeat"]) for name, site in sites_of(portal).items()}


def no_memory(settings: dict[str, Any]) -> None:
    """Let each link ask the database, and new people be sent by the sites' free places alone.

    Else the cookie leads to the home of the last ten minutes, and a site that came back a moment ago gets fewer people.
    """
    settings["federation"]["hot_path"] = "0 s"
    settings["federation"]["health"] = {"ramp": "0 s"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackOnSwarm]:
    folder: Path = tmp_path_factory.mktemp("portal")
    async with stack_on_swarm(
        swarm, folder, role="portal", everywhere=True, prepare=lambda made: made.settings(no_memory)
    ) as made:
        made.all_run()
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(portal: StackOnSwarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Site]]:
    folder = tmp_path_factory.mktemp("sites")
    made = {name: Site(folder, name, portal) for name in ("grenoble", "reims")}
    async with contextlib.AsyncExitStack() as running:
        for name, site in made.items():
            said = jupytercloud(portal, "sites", "add", name, "--url", site.url, "--reason", "a test")
            site.jupytercloud("sites", "join", said.split()[-1])
            await running.enter_async_context(site.running())
        yield made


class Visitor(Person):
    """A browser of somebody who follows a link to the portal."""

    asked = 0
    """How often she was asked who she is."""

    async def is_sent_to(self) -> str:
        """Follow the link, logging in where she is asked to; return the address of the site where it leads."""
        answer = await self._follow(await self.http.get(f"{self.stack.url}{LINK}"), "/site/")
        if not answer.is_redirect:
            self.asked += 1
            answer = await log_in(self, answer, self.account, stop="/site/")
        assert answer.is_redirect, answer.text[:2000]
        return str(answer.headers["location"]).partition("hub/")[0]


@contextlib.asynccontextmanager
async def another_swarm(portal: StackOnSwarm) -> AsyncIterator[StackOnSwarm]:
    """A Swarm of one machine, with the portal's settings and secrets, and no more of it than a dump."""
    old, machine = portal.swarm, portal.swarm.nodes[1]
    docker = ("docker", "-H", "unix:///engine/docker.sock")
    old.on_node(machine, *docker, "swarm", "leave")
    old.on_node(machine, *docker, "swarm", "init", "--default-addr-pool", "10.201.0.0/16", "--advertise-addr", "eth0")
    swarm = Swarm(f"unix://{RUN}/swarm/{machine}/engine/docker.sock", own=True)
    made = StackOnSwarm(swarm, "other", portal.provider, portal.pems, portal.address, role="portal")
    for kept in ("jupytercloud.yaml", "secrets", "dumps.tar", "state.tar"):
        shutil.rmtree(made.folder / kept, ignore_errors=True)
        copy = shutil.copytree if (portal.folder / kept).is_dir() else shutil.copy
        copy(portal.folder / kept, made.folder / kept)
    try:
        yield made
    finally:
        made.remove()
        made.leave()
        swarm.close()
        old.on_node(machine, *docker, "swarm", "leave", "--force")
        old.on_node(old.nodes[0], *docker, "node", "rm", "--force", machine)
        old.revive()


async def test_a_lost_portal_is_put_up_on_another_swarm_and_nobody_has_to_do_anything(
    portal: StackOnSwarm, sites: dict[str, Site]
) -> None:
    until(lambda: heard(portal) == {"grenoble": True, "reims": True}, 120, lambda: sites_of(portal))
    async with Visitor(portal, "dwho") as person:
        first = await person.is_sent_to()
        moved = next(site for site in sites.values() if site.url != first)
        jupytercloud(portal, "home-sites", "move", f"dwho@{ORGANIZATION}", moved.name, "--reason", "files copied")
        stamp = portal.dump_out()
        async with Visitor(portal, "rtyler") as late:
            after_the_dump = await late.is_sent_to()

        portal.leave()
        async with another_swarm(portal) as other:
            other.stand_on(other.node)
            took = other.restore(stamp)
            until(lambda: heard(other) == {"grenoble": True, "reims": True}, 120, lambda: sites_of(other))
            print(f"\nthe portal was on another Swarm after {took:.0f} s, with all sites")
            assert await person.is_sent_to() == moved.url, "her home is where it was"
            assert person.asked == 1, "and her session goes on"
            async with Visitor(other, "dwho") as again, Visitor(other, "rtyler") as late:
                assert await again.is_sent_to() == moved.url, "in whatever browser"
                assert f"rtyler@{ORGANIZATION}" not in jupytercloud(other, "home-sites", "list")
                assert await late.is_sent_to() == after_the_dump, "set again at the next visit, by the same places"

            moved.jupytercloud("sites", "rotate-key")
            heartbeat = sites_of(other)[moved.name]["heartbeat"]
            until(lambda: sites_of(other)[moved.name]["heartbeat"] > heartbeat, 60, lambda: sites_of(other))
            assert heard(other)[moved.name], "signed with the new key"

"""The stack that ``jupytercloud event create --backend swarm`` writes, on the tests' own Swarm."""

from __future__ import annotations

import contextlib
import csv
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from tests.support.engines import NOTEBOOK, RUN, script
from tests.support.engines_swarm import Swarm
from tests.support.swarm_stack import StackOnSwarm, build
from tests.support.university import certificates

SITE = f"""
site: {{name: labo, url: "https://labo.example.fr/", contact: aide@example.fr}}
spawner: {{backend: swarm, swarm: {{network: labo, home: {{type: volume}}}}}}
profiles:
  - name: carnet
    title: Carnet
    image: {NOTEBOOK}
    command: [jupyterhub-singleuser]
    resources: {{cpu: {{guarantee: 0.05, limit: 1}}, memory: {{guarantee: 64 MiB, limit: 256 MiB}}}}
"""
SEATS = 2


class EventStack(StackOnSwarm):
    """An event that began this second, deployed by its own scripts."""

    def __init__(self, swarm: Swarm, pems: dict[str, Path], lender: Path, *, url: str) -> None:
        self.swarm, self.name, self.url, self.pems, self.role = swarm, "salon", url, pems, "event"
        self.address = url.split("/")[2]
        self.node = swarm.nodes[0]
        self.folder = RUN / "swarm" / "shared" / self.name
        self.there = f"/srv/shared/{self.name}"  # the same folder, as the nodes see it
        lender.write_text(SITE)
        now = datetime.now(UTC)
        said = CliRunner().invoke(
            main,
            ["event", "create", self.name, "--from", now.isoformat(timespec="seconds"),
             "--to", (now + timedelta(hours=5)).isoformat(timespec="seconds"), "--seats", str(SEATS), "--warm", "1",
             "--profile", "carnet", "--backend", "swarm", "--site", str(lender), "--url", url,
             "--memory", "8 GiB", "--certificate", "own", "--folder", str(self.folder)],
        )  # fmt: skip
        assert said.exit_code == 0, said.output
        for part, pem in {"certificate": "certificate", "key": "key"}.items():
            shutil.copy(pems[pem], self.folder / "secrets" / f"tls_{part}")

    def deploy(self) -> None:
        self.run("./deploy.sh")

    def run(self, command: str) -> str:
        """Run a command in the event's folder, on the hub's machine."""
        return self.manager(f"cd {self.there} && {command}")

    def codes(self, kind: str = "visitor") -> list[str]:
        with (self.folder / "codes.csv").open() as file:
            return [row["code"] for row in csv.DictReader(file) if row["kind"] == kind]

    def come_in(self, browser: httpx.Client, code: str) -> httpx.Response:
        """Give a code on the page that asks for it; the answer after all redirects."""
        page = browser.get("hub/login").text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert xsrf, page
        return browser.post("hub/login", data={"code": code, "_xsrf": xsrf[1]})

    def things(self) -> list[str]:
        """Return everything of the event that any machine has."""
        found = []
        client = self.swarm.client
        found += [str(service.name) for service in client.services.list()]
        found += [str(network.name) for network in client.networks.list()]
        found += [str(config.name) for config in client.configs.list()]
        found += [str(secret.name) for secret in client.secrets.list()]
        for node in self.swarm.nodes:
            here = self.swarm.client_of(node)
            found += [str(container.name) for container in here.containers.list(all=True)]
            found += [str(volume.name) for volume in here.volumes.list()]
        return sorted(name for name in found if self.name in name)


@contextlib.contextmanager
def event_label(swarm: Swarm, name: str) -> Iterator[None]:
    """Let the manager keep the event, and see Docker's socket where everybody has it."""
    first = swarm.nodes[0]
    swarm.on_node(first, *_docker("node", "update", "--label-add", f"jupytercloud.event={name}", first))
    for node in swarm.nodes:
        swarm.on_node(node, "ln", "-sfn", "/engine/docker.sock", "/run/docker.sock")
    try:
        yield
    finally:
        swarm.on_node(first, *_docker("node", "update", "--label-rm", "jupytercloud.event", first))


def _docker(*words: str) -> tuple[str, ...]:
    return ("docker", "-H", "unix:///engine/docker.sock", *words)


@contextlib.contextmanager
def event_on_swarm(swarm: Swarm, folder: Path) -> Iterator[EventStack]:
    """Write and deploy it, and wait until the hub answers; afterwards nothing of it is left."""
    swarm.need_own("a stack with ports of its own")
    builder_was_up = not script("image/builder.sh", "status", check=False).returncode
    build("hub")
    address = swarm.address(swarm.nodes[0])
    made = EventStack(swarm, certificates(folder / "tls", address), folder / "site.yaml", url=f"https://{address}/")
    with event_label(swarm, made.name):
        try:
            made.load_images()
            if not builder_was_up:
                script("image/builder.sh", "down")
            made.deploy()
            made.healthy(600)
            yield made
        finally:
            made.remove()

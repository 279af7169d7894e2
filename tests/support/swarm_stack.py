"""The stack that ``jupytercloud stack init`` writes, on the tests' own Swarm, and what its administrators do."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner
from cryptography import x509
from ruamel.yaml import YAML

from jupytercloud_hub.cli.main import main
from tests.support import ROOT
from tests.support.engines import NOTEBOOK, RUN, SCRIPTS, script
from tests.support.engines_swarm import Swarm
from tests.support.lemonldap import ORGANIZATION
from tests.support.login import CLIENT_ID, CLIENT_SECRET
from tests.support.university import University, certificates, university

BUILDER = SCRIPTS / "image" / "builder.sh"
STATE = "jupytercloud.state=true"
OVERRIDE = """
version: "3.8"
services:
  hub: &trusting
    environment: {SSL_CERT_FILE: /etc/jupytercloud/authority.pem}
    configs: [{source: authority, target: /etc/jupytercloud/authority.pem}]
configs:
  authority: {file: ./authority.pem}
"""
"""As an administrator adds to the stack whose provider has a certificate of a private authority."""
PORTAL = OVERRIDE.replace("configs:\n  auth", "  federation: *trusting\nconfigs:\n  auth")
"""The portal's probes go to sites with certificates of that authority, too."""


def until(condition: Callable[[], Any], seconds: float = 180, what: Any = "") -> Any:
    """Return what the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (given := condition()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.3)
    return given


def build(*names: str) -> None:
    """Build images of ours, from stand-in bases (images/build.sh)."""
    done = subprocess.run(
        [str(ROOT / "images" / "build.sh"), *names],
        env={**os.environ, "STAND_IN": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


Prepare = Callable[["StackOnSwarm"], None]


class StackOnSwarm:
    """A stack folder on the manager, deployed with its own ``deploy.sh``."""

    def __init__(
        self,
        swarm: Swarm,
        folder: str,
        provider: University,
        pems: dict[str, Path],
        address: str,
        *,
        role: str = "site",
    ) -> None:
        self.swarm, self.name, self.pems, self.role = swarm, "jupytercloud", pems, role
        self.provider, self.address, self.url = provider, address, f"https://{address}/"
        self.node = swarm.nodes[0]
        self.folder = RUN / "swarm" / "shared" / folder
        self.there = f"/srv/shared/{folder}"  # the same folder, as the nodes see it
        said = CliRunner().invoke(
            main,
            ["stack", "init", str(self.folder), "--role", role, "--site", "grenoble" if role == "site" else "portal",
             "--url", self.url, "--issuer", provider.issuer, "--client-id", CLIENT_ID,
             "--organization", ORGANIZATION, "--certificate", "own"],
        )  # fmt: skip
        assert said.exit_code == 0, said.output
        for secret, text in {
            "client_secret": CLIENT_SECRET,
            "tls_certificate": pems["certificate"].read_text(),
            "tls_key": pems["key"].read_text(),
        }.items():
            (self.folder / "secrets" / secret).write_text(text)
        shutil.copy(pems["authority"], self.folder / "authority.pem")
        (self.folder / "own.yaml").write_text(OVERRIDE if role == "site" else PORTAL)
        self.settings(self._people)
        if role == "site":
            self.settings(self._profiles)

    @staticmethod
    def _people(settings: dict[str, Any]) -> None:
        settings["institutions"][0]["affiliations"] = ["staff", "member"]

    @staticmethod
    def _profiles(settings: dict[str, Any]) -> None:
        """What an administrator writes: her images, and who may start what."""
        settings["spawner"]["timeouts"] = {"start": "5 min", "http": "5 min"}  # busy machines
        for profile in settings["profiles"]:
            profile["image"] = NOTEBOOK
            profile["resources"] = {"cpu": 1, "memory": "512 MiB"}
            profile.pop("access", None)
            profile.pop("default_url", None)

    def settings(self, change: Callable[[dict[str, Any]], None]) -> None:
        yaml = YAML()
        file = self.folder / "jupytercloud.yaml"
        settings = yaml.load(file)
        change(settings)
        with file.open("w") as stream:
            yaml.dump(settings, stream)

    # -- its administrator --------------------------------------------------------------------------------------------

    def images(self, mode: str = "") -> list[str]:
        """Return the images that the stack's services run; ``mode``: only those of ``global`` ones."""
        services = YAML(typ="safe").load(self.folder / "stack.yaml")["services"].values()
        return sorted({one["image"] for one in services if not mode or one["deploy"].get("mode") == mode})

    def load_images(self, *, everywhere: bool = False) -> None:
        """Give the nodes what a registry would give them: all to the manager, to the others what runs on all."""
        names, on_all = self.images(), self.images("global")
        for node in self.swarm.nodes:
            wanted = names if everywhere or node == self.node else on_all
            built = self._builder("image", "inspect", "-f", "{{.Id}}", *wanted).split()
            client = self.swarm.client_of(node)
            held = {image.id for image in client.images.list()}
            missing = [name for name, made in zip(wanted, built, strict=True) if made not in held]
            if not missing:
                continue
            load = [
                str(SCRIPTS / "swarm.sh"),
                "run",
                node.removeprefix("node"),
                "docker",
                "-H",
                "unix:///engine/docker.sock",
            ]
            with subprocess.Popen([str(BUILDER), "docker", "save", *missing], stdout=subprocess.PIPE) as saved:
                subprocess.run([*load, "load", "--quiet"], stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)

    @staticmethod
    def _builder(*command: str) -> str:
        return subprocess.run([str(BUILDER), "docker", *command], capture_output=True, text=True, check=True).stdout

    def deploy(self) -> None:
        """``./deploy.sh -c own.yaml`` on the manager."""
        self.manager(f"cd {self.there} && STACK={self.name} ./deploy.sh -c own.yaml")

    def as_written(self, page: str, *headings: str, **words: str) -> str:
        """Type the commands of a page of docs/howto that stand under these headings, in the stack's folder.

        ``words`` stand in the place of others of the page. Returns what was printed.
        """
        text = (ROOT / "docs" / "howto" / page).read_text()
        printed = ""
        for heading in headings:
            section = re.split(r"\n#+ ", text.split(f"# {heading}\n")[1])[0]
            for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL):
                for word, other in {"./deploy.sh": "./deploy.sh -c own.yaml", **words}.items():
                    block = block.replace(word, other)
                printed += self.manager(f"cd {self.there}\n{block}")
        return printed

    def settled(self, *services: str, seconds: float = 300) -> None:
        """Wait until these services run as the last deploy wants them, and see that Swarm took nothing back."""

        def renewed() -> bool:
            for name in services:
                found = self.swarm.client.services.get(self.service(name)).attrs
                state = (found.get("UpdateStatus") or {}).get("State", "")
                assert state in ("", "updating", "completed"), f"{name}: {found['UpdateStatus']}\n{self.state()}"
                wanted = found["Spec"]["TaskTemplate"]["ContainerSpec"]
                task = self.swarm.task(self.service(name), state=None)
                if task["Spec"]["ContainerSpec"] != wanted or task["Status"]["State"] != "running":
                    return False
            return True

        until(renewed, seconds, self.state)
        self.healthy(seconds)

    def manager(self, command: str) -> str:
        """Run a command on the manager; once more where the managers had not agreed in time (a busy machine)."""
        line = ("env", "DOCKER_HOST=unix:///engine/docker.sock", "sh", "-euc", command)
        try:
            return self.swarm.on_node(self.node, *line)
        except RuntimeError as error:
            if "DeadlineExceeded" not in str(error):
                raise
            return self.swarm.on_node(self.node, *line)

    def service(self, name: str) -> str:
        return f"{self.name}_{name}"

    def exec(self, service: str, *command: str, user: str = "") -> str:
        return self.swarm.exec(self.service(service), *command, user=user)

    def logs(self, service: str, lines: int = 40) -> str:
        return self.manager(f"docker service logs --raw --tail {lines} {self.service(service)} 2>&1 || true")

    def state(self) -> str:
        return self.manager(
            f"docker stack ps --no-trunc {self.name} --format '{{{{.Name}}}} {{{{.CurrentState}}}} {{{{.Error}}}}'"
        )

    def healthy(self, seconds: float = 300) -> float:
        """Wait until the hub answers through Traefik; return how long that took, in seconds."""
        began = time.monotonic()
        with self.client() as client:

            def answers() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return client.get("hub/health").status_code == 200
                return False

            until(answers, seconds, lambda: f"{self.state()}\n{self.logs('hub')}\n{self.logs('traefik')}")
        return time.monotonic() - began

    def all_run(self, seconds: float = 300) -> None:
        """Wait until each service runs as many tasks as it is to."""

        def running() -> bool:
            lines = self.manager(f"docker stack services {self.name} --format '{{{{.Replicas}}}}'").split()
            counts = [line.split("/") for line in lines if "/" in line]
            return bool(counts) and all(is_ == wanted for is_, wanted in counts)

        until(running, seconds, self.state)

    def remove(self, *, folder: bool = True) -> None:
        """Take the stack, what people run, its volumes and (``folder``) its folder away."""
        self.swarm.remove(*self.peoples_services())  # their network goes with the stack
        with contextlib.suppress(RuntimeError):
            self.manager(f"docker stack rm {self.name}")
        until(self._gone, 180, self._left)
        for node in self.swarm.nodes:
            if self.swarm.state_of(node) != "ready":
                continue
            client = self.swarm.client_of(node)
            for container in client.containers.list(
                all=True, filters={"label": f"com.docker.stack.namespace={self.name}"}
            ):
                container.remove(force=True)
            for volume in client.volumes.list():
                if volume.name.startswith(f"{self.name}_"):
                    volume.remove(force=True)
        if folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _gone(self) -> bool:
        """Whether nothing is left; networks that Docker kept because somebody was still in them are asked for again."""
        if not self._left():
            return True
        self._try(f"docker stack rm {self.name}")
        return False

    def _left(self) -> str:
        label = f"label=com.docker.stack.namespace={self.name}"
        left = self.manager(f"docker ps -aq -f {label}; docker network ls -q -f {label}").split()
        return " ".join(left)

    def stand_on(self, node: str) -> None:
        """Let this manager keep what must not be lost, and have the stack's address, which goes from node to node."""
        self.node = node
        self.swarm.client = self.swarm.client_of(node)
        self.swarm.on_node(node, "ip", "addr", "replace", f"{self.address}/24", "dev", "eth0")
        self.swarm.on_node(node, "ln", "-sfn", "/engine/docker.sock", "/run/docker.sock")
        subprocess.run(["ip", "neigh", "flush", "to", self.address], check=True)  # as a failover tells all neighbours
        until(lambda: "Leader" in self._try("docker node ls"), 120)
        self.manager(f"docker node update --label-add {STATE} {node}")

    def leave(self) -> None:
        """Take the stack's address and the label from the machine that has them."""
        self.swarm.on_node(self.node, "ip", "addr", "del", f"{self.address}/24", "dev", "eth0", check=False)
        self._try(f"docker node update --label-rm {STATE.partition('=')[0]} {self.node}")

    def _try(self, command: str) -> str:
        with contextlib.suppress(RuntimeError):
            return self.manager(command)
        return ""

    # -- dumps --------------------------------------------------------------------------------------------------------

    def dump_out(self) -> str:
        """Make a dump and take it out of the Swarm, by the page's commands; return its name."""
        return self.as_written("restore.md", "Back up").split()[0]

    def peoples_services(self) -> list[str]:
        label = "app.kubernetes.io/managed-by=jupytercloud-hub"
        return [str(service.name) for service in self.swarm.client.services.list(filters={"label": label})]

    def restore_on_an_empty_stack(self) -> float:
        """Take all but the folder and a dump away, deploy anew, restore; return the seconds from the deploy on."""
        stamp = self.dump_out()
        self.remove(folder=False)
        return self.restore(stamp)

    def restore(self, stamp: str) -> float:
        """Restore by the page's commands; return the seconds from the deploy on."""
        began = time.monotonic()
        self.deploy()
        self.all_run(900)
        section = {"site": "A site", "portal": "A portal"}[self.role]
        self.as_written("restore.md", section, **{"2026-11-20-0300": stamp})
        self.healthy(600)
        return time.monotonic() - began

    def sql(self, database: str, query: str) -> list[str]:
        return self.exec("db", "psql", "-U", "jupytercloud", "-d", database, "-tAc", query).split()

    # -- metrics ------------------------------------------------------------------------------------------------------

    def metric(self, query: str) -> list[dict[str, Any]]:
        """Ask the stack's Prometheus."""
        said = self.exec("prometheus", "promtool", "query", "instant", "-o", "json", "http://127.0.0.1:9090", query)
        return list(json.loads(said))

    # -- people -------------------------------------------------------------------------------------------------------

    def secrets(self) -> dict[str, str]:
        """Return what stands in the folder's secrets."""
        return {file.name: file.read_text().strip() for file in (self.folder / "secrets").iterdir()}

    def certificate_shown(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(ssl.get_server_certificate((self.address, 443)).encode())

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.pems["authority"]))

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.tls(), trust_env=False, timeout=30, **options)


@contextlib.asynccontextmanager
async def provider_of(swarm: Swarm, folder: Path) -> AsyncIterator[tuple[University, dict[str, Path], str]]:
    """Yield an OpenID provider, certificates, and an address for a stack that can go from node to node."""
    address = f"{swarm.gateway().rpartition('.')[0]}.200"
    pems = certificates(folder / "tls", address, swarm.gateway())
    async with university(folder, swarm.gateway(), pems, f"https://{address}/hub/") as provider:
        yield provider, pems, address


@contextlib.asynccontextmanager
async def stack_on_swarm(
    swarm: Swarm, folder: Path, *, everywhere: bool = False, role: str = "site", prepare: Prepare = lambda stack: None
) -> AsyncIterator[StackOnSwarm]:
    """Build, deploy, and wait until the hub answers; afterwards nothing of it is left."""
    swarm.need_own("a stack with ports of its own")
    builder_was_up = not script("image/builder.sh", "status", check=False).returncode
    build("hub")
    async with provider_of(swarm, folder) as (provider, pems, address):
        made = StackOnSwarm(swarm, role, provider, pems, address, role=role)
        try:
            made.load_images(everywhere=everywhere)
            if not builder_was_up:
                script("image/builder.sh", "down")
            made.stand_on(made.node)
            prepare(made)
            made.deploy()
            made.healthy(900)
            yield made
        finally:
            made.remove()
            made.leave()

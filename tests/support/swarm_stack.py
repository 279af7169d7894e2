"""The stack that ``jupytercloud stack init`` writes, on the tests' own Swarm: images, certificates, a provider."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ruamel.yaml import YAML

from jupytercloud_hub.cli.main import main
from tests.support import ROOT
from tests.support.engines import NOTEBOOK, RUN, SCRIPTS, script
from tests.support.engines_cvmfs import cvmfs
from tests.support.engines_swarm import Swarm
from tests.support.lemonldap import lemonldap
from tests.support.login import CLIENT_ID, CLIENT_SECRET
from tests.support.ports import free_port

BUILDER = SCRIPTS / "image" / "builder.sh"
STATE = "jupytercloud.state=true"
OVERRIDE = """
version: "3.8"
services:
  hub:
    environment: {SSL_CERT_FILE: /etc/jupytercloud/authority.pem}
    configs: [{source: authority, target: /etc/jupytercloud/authority.pem}]
configs:
  authority: {file: ./authority.pem}
"""
"""As an administrator adds to the stack whose provider has a certificate of a private authority."""


def until(condition: Callable[[], Any], seconds: float = 180, what: Any = "") -> Any:
    """Return what the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (given := condition()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.3)
    return given


def certificates(folder: Path, *addresses: str) -> dict[str, Path]:
    """Make a certificate authority, and one certificate for these IP addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)

    def sign(
        name: str, issuer: x509.Name | None, by: ec.EllipticCurvePrivateKey, own: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(own.public_key())
        )
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
            now + datetime.timedelta(days=2)
        )
        made = made.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        if issuer is not None:
            names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(by, hashes.SHA256())

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = sign("authority of a test", None, authority_key, authority_key)
    shown = sign("a test", authority.subject, authority_key, key)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = {"authority": authority.public_bytes(pem), "certificate": shown.public_bytes(pem), "key": private}
    files["both"] = files["certificate"] + files["key"]
    for name, content in files.items():
        (folder / f"{name}.pem").write_bytes(content)
    return {name: folder / f"{name}.pem" for name in files}


@contextlib.asynccontextmanager
async def university(folder: Path, address: str, pems: dict[str, Path], hub_url: str) -> AsyncIterator[str]:
    """Run LemonLDAP::NG behind HAProxy with TLS on an address that the Swarm's nodes reach; yields the issuer."""
    inner, outer = free_port(), free_port(address)
    issuer = f"https://{address}:{outer}"
    file = folder / "front.cfg"
    file.write_text(
        "global\n  maxconn 100\ndefaults\n  mode http\n"
        "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"listen tls\n  bind {address}:{outer} ssl crt {pems['both']}\n  server portal 127.0.0.1:{inner}\n"
    )
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    front = subprocess.Popen([haproxy, "-db", "-f", str(file)])
    try:
        async with lemonldap(folder / "lemonldap", hub_url, port=inner, issuer=issuer) as said:
            yield said
    finally:
        front.terminate()
        front.wait(20)


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


class StackOnSwarm:
    """A stack folder on the manager, deployed with its own ``deploy.sh``."""

    def __init__(self, swarm: Swarm, name: str, issuer: str, pems: dict[str, Path], *, url: str) -> None:
        self.swarm, self.name, self.url, self.pems = swarm, name, url, pems
        self.node = swarm.nodes[0]
        self.folder = RUN / "swarm" / "shared" / name
        self.there = f"/srv/shared/{name}"  # the same folder, as the nodes see it
        said = CliRunner().invoke(
            main,
            ["stack", "init", str(self.folder), "--site", "grenoble", "--url", url, "--issuer", issuer,
             "--client-id", CLIENT_ID, "--organization", "univ-gallifrey.example", "--certificate", "own"],
        )  # fmt: skip
        assert said.exit_code == 0, said.output
        for secret, text in {
            "client_secret": CLIENT_SECRET,
            "tls_certificate": pems["certificate"].read_text(),
            "tls_key": pems["key"].read_text(),
        }.items():
            (self.folder / "secrets" / secret).write_text(text)
        shutil.copy(pems["authority"], self.folder / "authority.pem")
        (self.folder / "own.yaml").write_text(OVERRIDE)
        self.settings(self._profiles)

    def _profiles(self, settings: dict[str, Any]) -> None:
        """What an administrator writes: her images, and who may start what."""
        settings["spawner"]["timeouts"] = {"start": "5 min", "http": "5 min"}  # busy machines
        settings["institutions"][0]["affiliations"] = ["staff", "member"]
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

    def head(self, node: str) -> None:
        """Let another manager keep what must not be lost, and have the stack's address, as one that fails over."""
        self.node = node
        self.swarm.client = self.swarm.client_of(node)
        address = self.url.split("/")[2]
        self.swarm.on_node(node, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
        self.swarm.on_node(node, "sh", "-c", f"arping -U -c 1 -I eth0 {address} || true", check=False)
        until(lambda: "Leader" in self._try("docker node ls"), 120)
        self.manager(f"docker node update --label-add {STATE} {node}")

    def _try(self, command: str) -> str:
        with contextlib.suppress(RuntimeError):
            return self.manager(command)
        return ""

    # -- dumps --------------------------------------------------------------------------------------------------------

    def dump_out(self) -> str:
        """As `docs/howto/restore.md` says: make a dump, and take it out of the Swarm; return its name."""
        stamp = self.exec("backup", "sh", "/usr/local/bin/dump").strip()
        self.manager(f"docker run --rm {self._dumps()} -cf - . >{self.there}/dumps.tar")
        return stamp

    def _dumps(self) -> str:
        image = next(name for name in self.images() if name.startswith("postgres:"))
        return f"-v {self.name}_dumps:/dumps --entrypoint tar {image} -C /dumps"

    def peoples_services(self) -> list[str]:
        label = "app.kubernetes.io/managed-by=jupytercloud-hub"
        return [str(service.name) for service in self.swarm.client.services.list(filters={"label": label})]

    def restore_on_an_empty_stack(self) -> float:
        """Take all but the folder and a dump away, deploy anew, restore; return the seconds from the deploy on."""
        stamp = self.dump_out()
        self.remove(folder=False)
        return self.restore(stamp)

    def restore(self, stamp: str) -> float:
        """As `docs/howto/restore.md` says; return the seconds from the deploy on."""
        began = time.monotonic()
        self.deploy()
        self.all_run(900)
        scaled = [self.service(name) for name in ("hub", "quotas", "culler")]
        self.manager("docker service scale -d " + " ".join(f"{name}=0" for name in scaled))
        self.manager(f"docker run --rm -i {self._dumps()} -xf - <{self.there}/dumps.tar")
        until(lambda: not self.manager("docker ps -q " + " ".join(f"-f name={name}." for name in scaled)).strip(), 120)
        self.exec("backup", "sh", "/usr/local/bin/dump", "restore", stamp)
        self.manager("docker service scale -d " + " ".join(f"{name}=1" for name in scaled))
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

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.pems["authority"]))

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.tls(), trust_env=False, timeout=30, **options)


@contextlib.contextmanager
def state_label(swarm: Swarm) -> Iterator[None]:
    """Let the manager keep what must not be lost, and see Docker's socket where everybody has it."""
    manager = swarm.client.nodes.list(filters={"name": swarm.nodes[0]})[0]
    spec = manager.attrs["Spec"]
    manager.update({**spec, "Labels": {**spec.get("Labels", {}), **dict([STATE.split("=")])}})
    for name in swarm.nodes:
        swarm.on_node(name, "ln", "-sfn", "/engine/docker.sock", "/run/docker.sock")
    yield


@contextlib.asynccontextmanager
async def stack_on_swarm(swarm: Swarm, folder: Path, *, everywhere: bool = False) -> AsyncIterator[StackOnSwarm]:
    """Build, deploy, and wait until the hub answers; afterwards nothing of it is left."""
    swarm.need_own("a stack with ports of its own")
    builder_was_up = not script("image/builder.sh", "status", check=False).returncode
    build("hub")
    address = swarm.address(swarm.nodes[0])
    pems = certificates(folder / "tls", address, swarm.gateway())
    url = f"https://{address}/"
    with state_label(swarm), cvmfs("swarm"):
        async with university(folder, swarm.gateway(), pems, f"{url}hub/") as issuer:
            made = StackOnSwarm(swarm, "jupytercloud", issuer, pems, url=url)
            try:
                made.load_images(everywhere=everywhere)
                if not builder_was_up:
                    script("image/builder.sh", "down")
                made.deploy()
                made.healthy(900)
                yield made
            finally:
                made.remove()

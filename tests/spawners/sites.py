"""A hub on each backend, as its operator has it: a process of its own, one catalogue, spoken to through the REST API.

`Site` is what the contract test sees; a backend adds how its engine is looked at. Fixtures: ``local_site``,
``swarm_site``, ``kubernetes_site``, one of each for a test run.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from jupytercloud_hub.profiles.features import Support, support
from jupytercloud_hub.spawners.local_sweep import LocalEngine
from tests.support import ROOT, hub5
from tests.support.hub_process import HubProcess
from tests.support.ports import free_port

from .catalogue import GPUS, NODE_CLASSES, SHARED, profiles

TOKEN = "operators-token-0123456789"
PEOPLE = ("anna", "ben", "cleo", *(f"u{number}" for number in range(20)))
AFTER = """
c.JupyterHub.hub_bind_url = c.JupyterHub.hub_connect_url = "http://{address}:{port}"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.concurrent_spawn_limit = 100
c.Authenticator.allow_all = True
c.Spawner.poll_interval = 5
c.ProfileSwarmSpawner.poll_share = 1
c.ProfileSwarmSpawner.stop_seconds = 15
c.JupyterHub.services.append({{"name": "operator", "api_token": "{token}"}})
c.JupyterHub.load_roles.append({{"name": "operator", "services": ["operator"],
    "scopes": ["admin:users", "admin:servers", "admin:server_state", "list:users", "read:servers", "tokens"]}})
"""


def until(condition: Callable[[], Any], seconds: float = 180, what: Any = "") -> Any:
    """Return what the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (given := condition()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.5)
    return given


class Site(ABC):
    """A hub on one backend."""

    backend: ClassVar[str]
    environment: Mapping[str, str] = {}

    def __init__(
        self,
        folder: Path,
        section: Mapping[str, Any],
        address: str,
        *,
        command: Sequence[str] = ("/bin/light-server",),
        data: str = f"{SHARED}/data",
        hub5: str = "/opt/hub5/bin/jupyterhub-singleuser",
        name: str = "",
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """``more``: further sections of the configuration; ``name``: where a test run has several of a backend."""
        port = free_port()
        self.name = name or f"{self.backend}-{os.getpid()}"
        settings = {
            "site": {"name": self.name, "url": "{url}", "state": "state"},
            "spawner": {"backend": self.backend, "gpus": GPUS, "node_classes": NODE_CLASSES, **section},
            "profiles": profiles(list(command), data, hub5),
            **(more or {}),
        }
        after = AFTER.format(address=address, port=port, token=TOKEN)
        self.hub = HubProcess(folder, json.dumps(settings).replace("{url}", "URL"), after=after)
        self.hub.settings.write_text(self.hub.settings.read_text().replace("URL", self.hub.url))
        self.client = httpx.Client(
            base_url=f"http://{address}:{port}/labo/hub/api/",
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            timeout=60,
        )

    def gives(self, feature: str) -> bool:
        """Whether the table of features says that the backend gives it, and holds people to it."""
        return support(self.backend, feature) is Support.GIVEN

    # -- the hub, as its operator speaks to it ----------------------------------------------------------------------

    def begin(self) -> None:
        self.hub.start(**self.environment)
        self.hub.wait()
        self.client.post("users", json={"usernames": list(PEOPLE)})

    def kill(self) -> None:
        """Let the hub end as by a power cut, with its proxy."""
        assert self.hub.process
        os.killpg(self.hub.process.pid, signal.SIGKILL)
        self.hub.process.wait()

    def back(self) -> None:
        """Start the hub that was killed."""
        self.hub.start(**self.environment)
        self.hub.wait()

    def forget(self, *names: str) -> None:
        """Take what a killed hub had written of these people's servers away: it was killed a moment earlier."""
        (database,) = self.hub.folder.rglob("jupyterhub.sqlite")
        places = ", ".join("?" * len(names))
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(
                "UPDATE spawners SET server_id = NULL, state = NULL, started = NULL WHERE user_id IN "
                f"(SELECT id FROM users WHERE name IN ({places}))",
                names,
            )

    def servers(self) -> dict[str, Any]:
        answer = self.client.get("users")
        assert answer.status_code == 200, f"{answer.text}\n{self.hub.words()[-3000:]}"
        return {user["name"]: user["servers"][""] for user in answer.json() if user["servers"]}

    def server(self, name: str) -> Any:
        return self.client.get(f"users/{name}").json()["servers"].get("")

    def start(self, name: str, profile: str, **options: str) -> httpx.Response:
        return self.client.post(f"users/{name}/server", json={"profile": profile, "options": options})

    def told(self, name: str) -> list[dict[str, Any]]:
        """Return what the progress page says, until the start is over."""
        answer = self.client.get(f"users/{name}/server/progress", headers={"Accept": "text/event-stream"})
        return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]

    def run(self, name: str, profile: str) -> dict[str, Any]:
        """Start a server and return the hub's model of it once it is ready."""
        answer = self.start(name, profile)
        assert answer.status_code in (201, 202), answer.text

        def ready() -> Any:
            server = self.server(name)
            assert server, self.hub.words()[-3000:]
            return server["ready"] and server

        return until(ready)

    def stop(self, *names: str, patiently: bool = False) -> None:
        """Stop servers and wait until they are gone; ``patiently``: as long as the engine takes by itself."""
        with ThreadPoolExecutor(20) as pool:
            stops = [pool.submit(self.client.delete, f"users/{name}/server") for name in names]
            if not patiently:
                self.hurry(names)
            for stopped in stops:
                stopped.result()
        until(lambda: not self.servers().keys() & set(names))

    def hurry(self, names: Sequence[str]) -> None:  # noqa: B027 - most engines need no help
        """Help an engine that takes long to end what it was told to end."""

    def failure(self, name: str, profile: str) -> str:
        """Start something that fails and return what the person is told."""
        answer = self.start(name, profile)
        if answer.status_code >= 400:
            return str(answer.json()["message"])
        events = until(lambda: self.told(name))  # nothing while what a failed start left is still being removed
        assert events[-1].get("failed"), events
        return str(events[-1].get("html_message") or events[-1]["message"])

    def command(self, code: int, *command: str, **environ: str) -> str:
        """Run ``jupytercloud`` as an operator does and return what it printed."""
        environment = {"JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_API_URL": str(self.client.base_url)}
        ran = subprocess.run(
            [sys.executable, "-m", "jupytercloud_hub", *command, "--config", str(self.hub.settings)],
            env={**os.environ, **environment, **self.environment, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, ran.stderr or ran.stdout
        return ran.stdout

    def operate(self, code: int, *command: str, **environ: str) -> Any:
        """Return the JSON that a command printed, None where it printed none."""
        printed = self.command(code, *command, "--json", **environ)
        return json.loads(printed) if printed else None

    # -- the engine -------------------------------------------------------------------------------------------------

    @abstractmethod
    def held(self) -> dict[str, str]:
        """Return what the engine holds for this hub: slug of the user, and what tells one thing from its successor."""

    @abstractmethod
    def inside(self, name: str, command: str) -> str:
        """Run a command in the place of a person's server."""

    def limits(self, name: str) -> list[str] | None:
        """Return memory (bytes) and processor (µs of 100 ms) as the kernel has them for her server; None: no limit."""
        read = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
        return self.inside(name, read).split()

    @abstractmethod
    def node(self, name: str) -> str:
        """Return the machine on which her server runs."""

    def gpu(self) -> Any:
        """Return a context in which node2 has one GPU."""
        return nullcontext()

    def images_operator(self) -> dict[str, str]:
        """Return the environment of whoever may let machines fetch images."""
        return {}


class LocalSite(Site):
    """Processes on this machine."""

    backend = "local"
    environment = {"PYTHONPATH": str(ROOT)}

    def held(self) -> dict[str, str]:
        return {thing.user: thing.name for thing in asyncio.run(LocalEngine(self.name).held())}

    def _pid(self, name: str) -> int:
        return int(self.server(name)["state"]["pid"])

    def inside(self, name: str, command: str) -> str:
        process = Path(f"/proc/{self._pid(name)}")
        pairs = process.joinpath("environ").read_text().strip("\0").split("\0")
        return subprocess.run(
            ["sh", "-c", f"({command}) 2>&1 || true"],
            cwd=process / "cwd",
            env=dict(pair.split("=", 1) for pair in pairs),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def limits(self, name: str) -> list[str] | None:
        # the hub's own groups: nothing was made for this server
        groups = [Path(f"/proc/{pid}/cgroup").read_text() for pid in (self._pid(name), "self")]
        return None if groups[0] == groups[1] else groups

    def node(self, name: str) -> str:
        return os.uname().nodename


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """Run the hub, then end it and what it left at the engine."""
    try:
        site.begin()
        yield site
        site.stop(*site.servers())
    finally:
        site.hub.end()


@pytest.fixture(scope="session")
def local_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSite]:
    folder = tmp_path_factory.mktemp("local")
    (folder / "data").mkdir()
    (folder / "data" / "read-me").write_text("shared")
    command = [sys.executable, "-m", "tests.spawners.tiny_server"]
    site = LocalSite(folder, {}, "127.0.0.1", command=command, data=str(folder / "data"), hub5=str(hub5.prepare()))
    try:
        with running(site):
            yield site
    finally:
        for pid in site.held().values():  # of a test that failed
            asyncio.run(LocalEngine(site.name).remove(pid))

"""The Swarm spawner on a real Swarm of two machines (tests/engines/swarm.sh), with a real hub outside of it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyterhub.utils import random_port
from traitlets.config import Config

from tests.support.engines import LIGHT, RUN
from tests.support.engines_cvmfs import REPOSITORIES, cvmfs, mounted
from tests.support.engines_swarm import Swarm
from tests.support.hub import TestHub, Visitor, start_hub, stop_hub, text_of
from tests.support.hub_process import HubProcess

from .conftest import PEOPLE
from .test_local import rest, start

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

SHARED = "/srv/shared"
HERE = RUN / "swarm" / "shared"


PROFILES: list[dict[str, Any]] = [
    {
        "name": "light",
        "title": "Light",
        "default": True,
        "image": LIGHT,
        "command": ["/bin/light-server"],
        "resources": {"cpu": {"guarantee": 0.1, "limit": 0.5}, "memory": {"guarantee": "16 MiB", "limit": "64 MiB"}},
        "environment": {"COLOUR": "blue"},
    },
    {"name": "gpu", "extends": "light", "title": "GPU", "resources": {"gpu": 1, "gpu_type": "a100"}},
    {"name": "second", "extends": "light", "title": "Second machine", "node_class": "second"},
    {"name": "first", "extends": "light", "title": "First machine", "node_class": "first"},
    {"name": "nowhere", "extends": "light", "title": "Nowhere", "node_class": "nowhere", "timeouts": {"start": "8 s"}},
    {"name": "failing", "extends": "light", "title": "Failing", "environment": {"FAIL": "no licence left"}},
    {"name": "lost", "extends": "light", "title": "Lost image", "image": "registry.invalid/nobody/has:this"},
    {
        "name": "data",
        "extends": "light",
        "title": "Data",
        "resources": {"shm": "8 MiB"},
        "volumes": [
            {"source": f"{SHARED}/data", "target": "/data"},
            {"kind": "cvmfs", "target": "/cvmfs"},
            {"kind": "scratch", "target": "/scratch"},
        ],
    },
    {
        "name": "own",
        "extends": "light",
        "title": "Own image",
        "options": [
            {
                "name": "image",
                "title": "Image",
                "image": True,
                "text": {"pattern": r"[\w./:@-]+", "registries": ["registry.invalid/team"]},
                "choices": [LIGHT],
            }
        ],
    },
]


@pytest.fixture
def config(swarm: Swarm, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Config:
    swarm.need_own("a folder that the nodes and this machine share")
    monkeypatch.setenv("DOCKER_HOST", swarm.host)
    config = Config()
    config.JupyterHub.spawner_class = "jupytercloud_hub.spawners.swarm.ProfileSwarmSpawner"
    config.JupyterHub.hub_bind_url = f"http://{swarm.gateway()}:{random_port()}"
    config.ProfileMixin.profiles = PROFILES
    config.ProfileMixin.site = f"t{os.getpid()}-{abs(hash(request.node.name)) % 10000}"
    config.ProfileMixin.gpus = {"a100": 1}
    config.ProfileSwarmSpawner.reach = "host-port"
    config.ProfileSwarmSpawner.gpu_resources = {"a100": {"constraints": ["node.labels.gpu==a100"]}}
    config.ProfileSwarmSpawner.node_classes = {
        "first": ["node.hostname==node1"],
        "second": ["node.hostname==node2"],
        "nowhere": ["node.hostname==node99"],
    }
    homes = HERE / "homes"
    for name in ("amelie", "bob"):
        (homes / name).mkdir(parents=True, exist_ok=True)
        os.chown(homes / name, 1000, 0)
    (HERE / "data").mkdir(exist_ok=True)
    (HERE / "data" / "read-me").write_text("shared")
    config.ProfileSwarmSpawner.home = {"type": "bind", "source": f"{SHARED}/homes/{{user}}", "target": "/home/jovyan"}
    config.Spawner.start_timeout = 60
    config.Spawner.http_timeout = 30
    return config


@pytest.fixture
async def hub(config: Config, tmp_path: Path, swarm: Swarm) -> AsyncIterator[Callable[..., Any]]:
    started: list[TestHub] = []

    async def begin() -> TestHub:
        app = await start_hub(config, PEOPLE, tmp_path)
        started.append(app)
        return app

    yield begin
    for app in started:
        if TestHub.initialized() and TestHub.instance() is app:
            await stop_hub(app)
    for service in ours(swarm, config):
        swarm.client.api.remove_service(service["ID"])


def ours(swarm: Swarm, config: Config) -> list[Any]:
    from jupytercloud_hub.spawners.base import slug

    return swarm.client.api.services(filters={"label": f"jupytercloud.hub/hub={slug(config.ProfileMixin.site)}"})


async def settled(app: TestHub, user: str) -> Any:
    spawner = app.users[user].spawners[""]
    async with asyncio.timeout(90):
        while spawner.pending:
            await asyncio.sleep(0.1)
    return spawner


async def seen_by(spawner: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{spawner.server.url}api")).json()


def inside(swarm: Swarm, spawner: Any, command: str) -> str:
    """Run a command in the server's container, on whatever machine it is."""
    return swarm.exec(spawner.object_name, "sh", "-c", f"({command}) 2>&1 || true")


async def run(app: TestHub, user: str, profile: str) -> Any:
    async with Visitor(app) as visitor:
        await visitor.log_in(user)
        answer = await start(visitor, profile)
        assert answer.status_code == 302, text_of(answer.text)
    spawner = await settled(app, user)
    assert spawner.ready, spawner._spawn_future and spawner._spawn_future.exception()
    return spawner


async def test_server_gets_its_limits_environment_labels_and_a_short_name(
    hub: Any, swarm: Swarm, config: Config
) -> None:
    app = await hub()
    spawner = await run(app, "amelie", "light")
    seen = await seen_by(spawner)
    assert seen["environment"]["COLOUR"] == "blue"
    assert seen["environment"]["JUPYTERHUB_USER"] == "amelie"
    assert "memory" in spawner.orm_spawner.state["jupytercloud"]["resources"]
    limit = inside(
        swarm, spawner, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    )
    assert int(limit.split()[0]) == 64 * 1024**2
    quota = inside(swarm, spawner, "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null")
    assert int(quota.split()[0]) == 50_000
    (service,) = ours(swarm, config)
    assert len(service["Spec"]["Name"]) <= 63
    assert service["Spec"]["Labels"]["jupytercloud.hub/profile"] == "light"
    await app.users["amelie"].stop()
    assert ours(swarm, config) == []


async def test_home_goes_with_the_person_to_another_machine(hub: Any, swarm: Swarm) -> None:
    app = await hub()
    spawner = await run(app, "amelie", "first")
    inside(swarm, spawner, "echo mine > /home/jovyan/work.txt")
    await app.users["amelie"].stop()
    spawner = await run(app, "amelie", "second")
    assert inside(swarm, spawner, "cat /home/jovyan/work.txt; hostname").startswith("mine")


async def test_gpu_lands_where_one_is_and_who_comes_next_waits_and_is_told(
    hub: Any, swarm: Swarm, config: Config
) -> None:
    config.Spawner.start_timeout = 12
    app = await hub()
    spawner = await run(app, "amelie", "gpu")
    task = swarm.client.api.tasks(filters={"service": spawner.object_name})[0]
    assert swarm.client.api.inspect_node(task["NodeID"])["Description"]["Hostname"] == "node2"
    async with Visitor(app, "fr") as visitor:
        await visitor.log_in("bob")
        await start(visitor, "gpu")
        waiting = app.users["bob"].spawners[""]
        async with asyncio.timeout(10):
            while not any("No machine has room" in str(said) for said, _ in waiting._said):
                await asyncio.sleep(0.1)
        await settled(app, "bob")
        page = text_of((await visitor.get("spawn-pending/bob")).text)
    assert "Aucune machine n’a de place" in page
    assert "insufficient resources" in page
    assert len(ours(swarm, config)) == 1


async def test_shared_data_are_read_only_scratch_is_not_and_cvmfs_is_there(hub: Any, swarm: Swarm) -> None:
    app = await hub()
    spawner = await run(app, "amelie", "data")
    assert inside(swarm, spawner, "cat /data/read-me") == "shared"
    assert "Read-only file system" in inside(swarm, spawner, "touch /data/mine")
    assert inside(swarm, spawner, "touch /scratch/mine && ls /scratch") == "mine\n"
    mounts = inside(swarm, spawner, "cat /proc/self/mountinfo")
    (cvmfs,) = [line for line in mounts.splitlines() if " /cvmfs " in line]
    assert "master:" in cvmfs
    (shm,) = [line for line in mounts.splitlines() if " /dev/shm " in line]
    assert "size=8192k" in shm


async def test_cvmfs_repository_that_is_mounted_after_the_start_is_seen(hub: Any, swarm: Swarm) -> None:
    with cvmfs("swarm"):
        app = await hub()
        spawner = await run(app, "amelie", "data")
        node = swarm.node_of(spawner.object_name)
        assert mounted("swarm", node) == []
        assert inside(swarm, spawner, f"ls /cvmfs/{REPOSITORIES[0]}").strip()
        assert mounted("swarm", node) == [REPOSITORIES[0]]
        await app.users["amelie"].stop()


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("failing", "no licence left"),
        ("lost", "No such image"),
        ("nowhere", "scheduling constraints not satisfied"),
    ],
)
async def test_failed_start_tells_the_engines_reason_and_leaves_nothing(
    hub: Any, swarm: Swarm, config: Config, profile: str, said: str
) -> None:
    app = await hub()
    began = time.monotonic()
    async with Visitor(app, "fr") as visitor:
        await visitor.log_in("amelie")
        await start(visitor, profile)
        await settled(app, "amelie")
        page = text_of((await visitor.get("spawn-pending/amelie")).text)
    assert said in page
    assert time.monotonic() - began < 45
    assert ours(swarm, config) == []


async def test_own_image_is_refused_outside_of_the_allowed_registry(hub: Any) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
    answer = await rest(app, "bob", {"profile": "own", "options": {"image": "docker.io/evil/miner"}})
    assert answer.status_code == 403
    assert "does not come from an allowed registry" in answer.json()["message"]


async def test_hub_takes_its_servers_over_when_it_is_back(
    hub: Any, swarm: Swarm, config: Config, tmp_path: Path
) -> None:
    app = await hub()
    spawner = await run(app, "amelie", "light")
    state = dict(spawner.orm_spawner.state)
    await stop_hub(app, servers=False)
    app = await hub()
    again = app.users["amelie"].spawners[""]
    assert again.ready
    assert again.get_state() == state
    assert await again.poll() is None


async def test_server_that_ended_is_noticed_and_its_service_removed(hub: Any, swarm: Swarm, config: Config) -> None:
    config.ProfileSwarmSpawner.poll_share = 0
    app = await hub()
    spawner = await run(app, "amelie", "light")
    inside(swarm, spawner, "kill 1")
    async with asyncio.timeout(30):
        while await spawner.poll() is None:
            await asyncio.sleep(0.2)
    await spawner.poll_and_notify()
    await settled(app, "amelie")
    assert not spawner.active
    assert ours(swarm, config) == []


SETTINGS = """
site: {name: SITE, url: "{url}", state: state}
spawner:
  backend: swarm
  swarm: {reach: host-port, home: {type: bind, source: "/srv/shared/homes/amelie"}}
profiles:
  - name: light
    title: Light
    image: "local/light:test"
    command: [/bin/light-server]
    resources: {cpu: 0.2, memory: 32 MiB}
"""
AFTER = """
c.JupyterHub.hub_bind_url = "http://ADDRESS:PORT"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "operator", "api_token": "operators-token-0123456789"}]
c.JupyterHub.load_roles = [{
    "name": "operator", "services": ["operator"],
    "scopes": ["admin:users", "admin:servers", "list:users", "read:servers"],
}]
"""


def operate(hub: HubProcess, code: int, *options: str) -> Any:
    """Run ``jupytercloud servers sweep`` as an operator does and return what it printed."""
    environment = {**os.environ, "JUPYTERHUB_API_TOKEN": "operators-token-0123456789", "JUPYTERHUB_API_URL": hub.api}
    command = [sys.executable, "-m", "jupytercloud_hub", "servers", "sweep", "--grace", "0 s", "--json"]
    ran = subprocess.run(
        [*command, "--config", str(hub.settings), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.timeout(280)
async def test_sweep_after_a_kill_in_the_middle_of_twenty_spawns_leaves_nothing_and_loses_nothing(
    swarm: Swarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", swarm.host)
    site = f"sweep{os.getpid()}"
    port = random_port()
    hub = HubProcess(
        tmp_path,
        SETTINGS.replace("SITE", site),
        after=AFTER.replace("ADDRESS", swarm.gateway()).replace("PORT", str(port)),
    )
    hub.api = f"http://{swarm.gateway()}:{port}/labo/hub/api"
    label = {"label": f"jupytercloud.hub/hub={site}"}
    token = {"Authorization": "Bearer operators-token-0123456789"}

    async def servers(client: httpx.AsyncClient) -> dict[str, bool]:
        users = (await client.get(f"{hub.api}/users")).json()
        return {user["name"]: user["servers"][""]["ready"] for user in users if user["servers"]}

    hub.start()
    try:
        hub.wait()
        async with httpx.AsyncClient(trust_env=False, headers=token, timeout=60) as client:
            names = [f"u{number}" for number in range(20)]
            await client.post(f"{hub.api}/users", json={"usernames": names})
            await client.post(f"{hub.api}/users/u0/server", json={})
            async with asyncio.timeout(60):
                while not (await servers(client)).get("u0"):
                    await asyncio.sleep(0.2)
            starts = [asyncio.create_task(client.post(f"{hub.api}/users/{name}/server", json={})) for name in names[1:]]
            async with asyncio.timeout(60):
                while len(swarm.client.api.services(filters=label)) < 8:
                    await asyncio.sleep(0.05)
            os.killpg(hub.process.pid, signal.SIGKILL)
            hub.process.wait()
            await asyncio.gather(*starts, return_exceptions=True)
        assert len(swarm.client.api.services(filters=label)) >= 8
        hub.start()
        hub.wait()
        left = operate(hub, 1)["orphans"]
        assert len(left) >= 7, "the services that were being started when the hub was killed"
        assert "u0" not in [thing["user"] for thing in left]
        assert operate(hub, 0, "--remove")["removed"]
        async with httpx.AsyncClient(trust_env=False, headers=token, timeout=60) as client:
            running = await servers(client)
            assert running["u0"]
            labelled = {
                service["Spec"]["Labels"]["jupytercloud.hub/user"]
                for service in swarm.client.api.services(filters=label)
            }
            assert labelled == set(running), "what is left is what the hub knows"
            for name in running:
                await client.delete(f"{hub.api}/users/{name}/server")
            async with asyncio.timeout(90):
                while swarm.client.api.services(filters=label):
                    await asyncio.sleep(0.3)
    finally:
        hub.end()
        for service in swarm.client.api.services(filters=label):
            swarm.client.api.remove_service(service["ID"])


async def test_machine_that_is_lost_is_noticed_and_its_person_starts_again_with_her_files(
    hub: Any, swarm: Swarm, config: Config
) -> None:
    config.ProfileSwarmSpawner.poll_share = 1
    config.ProfileSwarmSpawner.stop_seconds = 10
    app = await hub()
    spawner = await run(app, "amelie", "second")
    inside(swarm, spawner, "echo kept > /home/jovyan/kept.txt")
    try:
        swarm.kill("node2")
        async with asyncio.timeout(60):
            while (said := await spawner.poll()) is None:
                await asyncio.sleep(0.5)
        assert "lost" in str(said)
        await spawner.poll_and_notify()
        await settled(app, "amelie")
        assert ours(swarm, config) == []
        spawner = await run(app, "amelie", "light")
        assert inside(swarm, spawner, "cat /home/jovyan/kept.txt") == "kept\n"
    finally:
        swarm.revive()


async def test_real_notebook_image_starts_and_opens_its_page(hub: Any, swarm: Swarm, config: Config) -> None:
    config.ProfileMixin.profiles = [
        {
            "name": "notebook",
            "title": "Notebook",
            "image": "local/notebook:test",
            "resources": {"cpu": 2, "memory": "1 GiB"},
            "default_url": "/lab/tree/first.ipynb",
        }
    ]
    config.Spawner.http_timeout = 90
    app = await hub()
    spawner = await run(app, "amelie", "notebook")
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(spawner.server.url)
    assert "/lab/tree/first.ipynb" in answer.headers["Location"]
    assert spawner._jupyterhub_version == "6.1.1"

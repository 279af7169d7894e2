"""Swarm: many starts and many polls, ours beside SwarmSpawner's, in one run.

    python -m tests.bench.swarm [--starts 200] [--polls 1000] [--json FILE]          a fake API, 50 ms a call
    python -m tests.bench.swarm --engine [--starts 200]                              the Swarm of DOCKER_HOST

The fake API answers each call after 50 ms in the thread that asks, as an engine does, and its tasks run from the
first look on: what is measured is how the calls are made. Wall time, calls, and CPU time of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docker.errors import NotFound
from traitlets.config import Config

CALL_SECONDS = 0.05
WANTED = 0.1
LIGHT = "local/light:test"


class FakeDocker:
    """As much of docker-py's APIClient as both spawners call."""

    def __init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, int] = {}
        self._lock = threading.Lock()

    def _call(self, name: str) -> None:
        time.sleep(CALL_SECONDS)
        with self._lock:
            self.calls[name] = self.calls.get(name, 0) + 1

    def create_service(self, task_template: Any, name: str, labels: Any = None, **_: Any) -> dict[str, Any]:
        self._call("create_service")
        service = {"ID": f"id-{name}", "Spec": {"Name": name, "Labels": labels or {}, "TaskTemplate": task_template}}
        with self._lock:
            self.services[name] = service
        return service

    def inspect_service(self, name: str) -> dict[str, Any]:
        self._call("inspect_service")
        if name not in self.services:
            raise NotFound("no", response=SimpleNamespace(status_code=404))
        return self.services[name]

    def tasks(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        self._call("tasks")
        with self._lock:
            wanted = [self.services[filters["service"]]] if "service" in filters else list(self.services.values())
        return [
            {
                "Status": {"State": "running"},
                "DesiredState": "running",
                "Spec": service["Spec"]["TaskTemplate"],
                "ServiceID": service["ID"],
            }
            for service in wanted
        ]

    def remove_service(self, name: str) -> None:
        self._call("remove_service")
        self.services.pop(name, None)


def spawner(kind: str, number: int, engine: bool) -> Any:
    user = SimpleNamespace(
        name=f"user{number}", user_info={}, groups=[], admin=False, url="/", id=number, escaped_name=f"user{number}"
    )
    hub = SimpleNamespace(public_host="", api_url="http://hub:8081/hub/api", base_url="/hub/", server=None)
    config = Config()
    common = config.SwarmSpawner
    common.image, common.cmd = LIGHT, ["/bin/light-server"]
    if kind == "ours":
        from jupytercloud_hub.spawners.swarm import ProfileSwarmSpawner as Spawner

        config.ProfileMixin.site = f"bench{os.getpid()}"
        config.ProfileMixin.profiles = [{"name": "a", "title": "A", "image": LIGHT, "command": ["/bin/light-server"]}]
        config.ProfileSwarmSpawner.home = {}
        made = Spawner(**wiring(user, hub), config=config)
        made.until_it_answers = nothing  # JupyterHub's own wait is the same for both
        made.resolve_options({"profile": "a"})
        return made
    from dockerspawner import SwarmSpawner as Stock

    common.prefix = f"stock{os.getpid()}"
    common.extra_endpoint_spec = {"mode": "dnsrr"}
    common.mem_limit, common.cpu_limit = "1G", 1
    common.use_internal_ip = True
    return Stock(**wiring(user, hub), config=config)


def wiring(user: Any, hub: Any) -> dict[str, Any]:
    return {
        "user": user,
        "hub": hub,
        "orm_spawner": SimpleNamespace(name="", user_options=None, started=None, server=None),
        "oauth_client_id": "x",
        "api_token": "x",
        "server": None,
    }


async def nothing(where: Any) -> None:
    pass


async def measure(kind: str, starts: int, polls: int, engine: bool) -> dict[str, Any]:
    spawners = [spawner(kind, number, engine) for number in range(max(starts, polls if not engine else starts))]
    fake = FakeDocker()
    if not engine:
        type(spawners[0])._client = fake
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one.start() for one in spawners[:starts]))
    result: dict[str, Any] = {
        "starts_seconds": time.perf_counter() - began,
        "starts_cpu_seconds": time.process_time() - cpu,
        "starts_calls": dict(fake.calls),
    }
    if not engine:
        for one in spawners:
            fake.services.setdefault(
                one.object_name, {"ID": "x", "Spec": {"Name": one.object_name, "TaskTemplate": template(one)}}
            )
            one.object_id = fake.services[one.object_name]["ID"]
        fake.calls.clear()
    polled = spawners[:polls] if not engine else spawners
    began = time.perf_counter()
    states = await asyncio.gather(*(one.poll() for one in polled))
    result["polls_seconds"] = time.perf_counter() - began
    result["polls_calls"] = dict(fake.calls)
    assert all(state is None for state in states), [state for state in states if state is not None][:3]
    if engine:
        await asyncio.gather(*(one.stop() for one in spawners))
    return result


def template(one: Any) -> dict[str, Any]:
    labels = one.labels() if hasattr(one, "labels") else {}
    return {"ContainerSpec": {"Labels": labels}}


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--polls", type=int, default=1000)
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = {
        kind: await measure(kind, arguments.starts, arguments.polls, arguments.engine) for kind in ("ours", "stock")
    }
    ratio = results["ours"]["starts_seconds"] / results["stock"]["starts_seconds"]
    where = "the real engine" if arguments.engine else f"a fake API of {CALL_SECONDS * 1000:.0f} ms a call"
    polls = arguments.starts if arguments.engine else arguments.polls
    print(f"{arguments.starts} starts and {polls} polls on {where}")
    for kind, result in results.items():
        calls = ", ".join(f"{count} {name}" for name, count in result["starts_calls"].items())
        print(
            f"  {kind:6} starts {result['starts_seconds']:7.1f} s  (CPU {result['starts_cpu_seconds']:.1f} s; {calls})"
        )
        calls = ", ".join(f"{count} {name}" for name, count in result["polls_calls"].items())
        print(f"  {kind:6} polls  {result['polls_seconds']:7.1f} s  ({calls})")
    print(f"  ratio of starts {ratio:.3f}" + ("" if arguments.engine else f"; wanted: at most {WANTED}"))
    if arguments.json:
        names = ("jupyterhub", "dockerspawner", "docker")
        about = {
            "benchmark": "swarm",
            "engine": arguments.engine,
            "starts": arguments.starts,
            "polls": polls,
            "ratio": ratio,
            "versions": {name: version(name) for name in names},
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        }
        arguments.json.write_text(json.dumps({**about, **results}, indent=2) + "\n")
    return 0 if arguments.engine or ratio <= WANTED else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

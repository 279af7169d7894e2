"""Kubernetes: from the choice to the pod's manifest, ours beside KubeSpawner's, in one process, taking turns.

    python -m tests.bench.kubernetes [--rounds 300] [--json FILE]

20 profiles with an option each. Stock: ``load_user_options`` and ``get_pod_manifest``. Ours: ``resolve_options`` (which
also asks whether the person may) and ``get_pod_manifest``. CPU time of this process, median over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubespawner.spawner
from traitlets.config import Config

from .form import COUNT, user

WANTED = 1.0


def wiring(config: Config) -> dict[str, Any]:
    hub = SimpleNamespace(public_host="", api_url="http://hub:8081/hub/api", base_url="/hub/", url="/hub/")
    person = user()
    person.escaped_name = person.name
    return {"user": person, "hub": hub, "config": config, "oauth_client_id": "x", "api_token": "x", "server": None}


def ours() -> Any:
    from jupytercloud_hub.spawners.kubernetes import ProfileKubernetesSpawner

    config = Config()
    config.ProfileMixin.profiles = [
        {
            "name": f"profile-{number}",
            "title": f"Profile {number}",
            "resources": {"cpu": number + 1, "memory": f"{number + 1} GiB"},
            "image": "image:1",
            "access": {"groups": ["a"]},
            "options": [
                {"name": "image", "title": "Image", "choices": [{"value": v, "image": v} for v in ("one", "two")]}
            ],
        }
        for number in range(COUNT)
    ]
    spawner = ProfileKubernetesSpawner(**wiring(config))
    spawner.orm_spawner = SimpleNamespace(name="", user_options=None, server=None)

    async def prepare() -> Any:
        spawner.resolve_options({"profile": "profile-13", "options": {"image": "two"}})
        return await spawner.get_pod_manifest()

    return prepare


def stock() -> Any:
    config = Config()
    config.KubeSpawner.profile_list = [
        {
            "display_name": f"Profile {number}",
            "slug": f"profile-{number}",
            "kubespawner_override": {"cpu_limit": number + 1, "mem_limit": f"{number + 1}G"},
            "profile_options": {
                "image": {
                    "display_name": "Image",
                    "choices": {
                        name: {"display_name": name, "kubespawner_override": {"image": name}} for name in ("one", "two")
                    },
                }
            },
        }
        for number in range(COUNT)
    ]
    config.KubeSpawner.storage_pvc_ensure = True
    config.KubeSpawner.volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}]
    config.KubeSpawner.volume_mounts = [{"name": "home", "mountPath": "/home/jovyan"}]
    config.KubeSpawner.cmd = ["jupyterhub-singleuser"]
    spawner = kubespawner.spawner.KubeSpawner(**wiring(config))

    async def prepare() -> Any:
        spawner.user_options = {"profile": "profile-13", "image": "two"}
        await spawner.load_user_options()
        return await spawner.get_pod_manifest()

    return prepare


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    kubespawner.spawner.load_config = lambda *args, **kwargs: None  # a manifest needs no cluster
    ways = {"stock": stock(), "ours": ours()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for prepare in ways.values():
        pod = await prepare()
        assert pod.spec.containers[0].image == "two"
    gc.disable()
    for _ in range(arguments.rounds):
        for name, prepare in ways.items():
            began = time.process_time()
            await prepare()
            times[name].append(time.process_time() - began)
    median = {name: statistics.median(spent) * 1000 for name, spent in times.items()}
    ratio = median["ours"] / median["stock"]
    print(f"{COUNT} profiles, {arguments.rounds} rounds, CPU ms from the choice to the manifest (median)")
    for name, spent in median.items():
        print(f"  {name:6} {spent:8.3f} ms")
    print(f"  ratio  {ratio:8.3f}      wanted: at most {WANTED}")
    if arguments.json:
        result = {
            "benchmark": "kubernetes-pre-spawn",
            "profiles": COUNT,
            "rounds": arguments.rounds,
            "cpu_ms_median": median,
            "ratio": ratio,
            "wanted": WANTED,
            "versions": {name: version(name) for name in ("jupyterhub", "jupyterhub-kubespawner")},
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        }
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if ratio <= WANTED else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

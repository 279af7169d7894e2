"""Rendering the spawn form: 20 profiles, ours beside KubeSpawner's, in one process, taking turns.

    python -m tests.bench.form [--rounds 200] [--json FILE]

Both are asked as JupyterHub asks them (``get_options_form``). CPU time of this process, median over the rounds.
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

from traitlets.config import Config

COUNT = 20
WANTED = 0.15


def ours() -> Any:
    from jupytercloud_hub.spawners.local import ProfileLocalSpawner

    config = Config()
    config.ProfileMixin.profiles = [
        {
            "name": f"profile-{number}",
            "title": {"fr": f"Profil {number}", "en": f"Profile {number}"},
            "description": {"fr": "Une phrase ou deux.", "en": "A sentence or two."},
            "section": "Un" if number < COUNT / 2 else "Deux",
            "resources": {"cpu": number + 1, "memory": f"{number + 1} GiB"},
            "access": {"groups": ["a"]} if number % 4 == 0 else [],
            "options": [{"name": "image", "title": "Image", "choices": ["one", "two", "three"]}],
        }
        for number in range(COUNT)
    ]
    return ProfileLocalSpawner(user=user(), config=config, user_options={"profile": "profile-3", "options": {}})


def stock() -> Any:
    import kubespawner.spawner
    from kubespawner import KubeSpawner

    kubespawner.spawner.load_config = lambda *args, **kwargs: None  # a form needs no cluster
    config = Config()
    config.KubeSpawner.profile_list = [
        {
            "display_name": f"Profile {number}",
            "slug": f"profile-{number}",
            "description": "A sentence or two.",
            "kubespawner_override": {"cpu_limit": number + 1, "mem_limit": f"{number + 1}G"},
            "profile_options": {
                "image": {
                    "display_name": "Image",
                    "choices": {
                        name: {"display_name": name, "kubespawner_override": {"image": name}}
                        for name in ("one", "two", "three")
                    },
                }
            },
        }
        for number in range(COUNT)
    ]
    # the form is asked for anew at each visit: a callable list is how people filter it by group
    profiles = config.KubeSpawner.profile_list
    config.KubeSpawner.profile_list = lambda spawner: profiles
    return KubeSpawner(_mock=True, user=user(), config=config, hub=SimpleNamespace(), api_token="x")


def user() -> Any:
    info = {"name": "A", "jupytercloud": {"language": "fr", "home_organization": "univ.fr"}}
    return SimpleNamespace(name="a", user_info=info, groups=[SimpleNamespace(name="a")], admin=False, url="/", id=1)


async def once(spawner: Any) -> tuple[float, str]:
    began = time.process_time()
    html = await spawner.get_options_form()
    return time.process_time() - began, html


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    spawners = {"stock": stock(), "ours": ours()}
    times: dict[str, list[float]] = {name: [] for name in spawners}
    sizes: dict[str, int] = {}
    for spawner in spawners.values():
        await once(spawner)
    gc.disable()
    for _ in range(arguments.rounds):
        for name, spawner in spawners.items():
            spent, html = await once(spawner)
            times[name].append(spent)
            sizes[name] = len(html)
    median = {name: statistics.median(spent) * 1000 for name, spent in times.items()}
    ratio = median["ours"] / median["stock"]
    print(f"{COUNT} profiles, {arguments.rounds} rounds, CPU ms per form (median)")
    for name in spawners:
        print(f"  {name:6} {median[name]:8.3f} ms   {sizes[name]:6} characters")
    print(f"  ratio  {ratio:8.3f}      wanted: at most {WANTED}")
    if arguments.json:
        result = {
            "benchmark": "form",
            "profiles": COUNT,
            "rounds": arguments.rounds,
            "cpu_ms_median": median,
            "characters": sizes,
            "ratio": ratio,
            "wanted": WANTED,
            "versions": {name: version(name) for name in ("jupyterhub", "jupyterhub-kubespawner", "jinja2")},
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        }
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if ratio <= WANTED else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

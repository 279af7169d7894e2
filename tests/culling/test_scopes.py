"""The culler's scopes are the least that work: each is taken away once, on a real hub."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry

from jupytercloud_hub.culling.metrics import Metrics
from jupytercloud_hub.culling.passes import Culler
from jupytercloud_hub.culling.store import Store
from jupytercloud_hub.hubapi.client import HubApi, HubApiError
from jupytercloud_hub.settings.configure.culling import SCOPES
from jupytercloud_hub.settings.culling import CullingSettings

from .fakes import opened
from .hub import Hub

CULLING = {
    "rules": [
        {"name": "maths-gpu", "groups": ["maths"], "gpu": ["a100"], "idle": "1 s", "warn": "0 s"},
        {"name": "others", "spare": True},
    ],
    "every": "1 h",
}
RECORD = {
    "profile": "gpu",
    "options": {},
    "resources": {"cpu": 1, "memory": "2 GiB", "gpu": 1, "gpu_type": "a100"},
}
EXTRA = """
for name, scopes in {roles!r}.items():
    c.JupyterHub.services.append({{"name": name, "api_token": "token-of-" + name.ljust(24, "x")}})
    c.JupyterHub.load_roles.append({{"name": "role-" + name, "services": [name], "scopes": scopes}})
"""


def token(name: str) -> str:
    return "token-of-" + name.ljust(24, "x")


async def test_each_scope_of_the_culler_is_needed_and_none_lacks(tmp_path: Path) -> None:
    roles = {f"without-{number}": [other for other in SCOPES if other != scope] for number, scope in enumerate(SCOPES)}
    roles["whole"] = list(SCOPES)
    async with Hub(tmp_path, CULLING, extra=EXTRA.format(roles=roles)) as hub:
        await hub.client.post(f"{hub.api}/users/anna")
        await hub.client.post(f"{hub.api}/groups/maths", json={"users": ["anna"]})
        await hub.client.post(f"{hub.api}/groups/maths/users", json={"users": ["anna"]})
        await hub.spawn("anna", record=RECORD)
        await asyncio.sleep(1.2)
        database = await opened(f"sqlite:///{tmp_path / 'scopes.sqlite'}")
        found: dict[str, str] = {}
        for name in roles:
            async with HubApi(hub.api, token(name)) as api:
                culler = Culler(
                    CullingSettings.model_validate(CULLING),
                    ZoneInfo("Europe/Paris"),
                    api,
                    Store(database),
                    Metrics(CollectorRegistry()),
                    lambda: datetime.now(UTC),
                )
                if name == "whole":
                    found["plan"] = await _plan(hub, token(name))
                try:
                    done = await culler.run()
                except HubApiError as error:
                    found[name] = f"no list: {error.status}"
                    continue
                rules = [verdict.planned.rule for verdict in done.verdicts if verdict.planned]
                found[name] = f"{len(done.verdicts)} {rules} {dict(done.outcomes)}"
        await database.close()
    names = {name: SCOPES[int(name.split("-")[1])] for name in roles if name != "whole"}
    assert {names.get(name, name): outcome for name, outcome in found.items()} == {
        "list:users": "no list: 403",
        "read:users:groups": "1 [] {}",
        "read:servers": "0 [] {}",
        "admin:server_state": "1 [] {}",
        "delete:servers": "1 ['maths-gpu'] {'failed': 1}",
        "plan": "anna stop maths-gpu",
        "whole": "1 ['maths-gpu'] {'stopped': 1}",
    }


async def _plan(hub: Hub, with_token: str) -> str:
    """Run ``jupytercloud cull plan`` as an operator does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupytercloud_hub", "cull", "plan", "--json", "--config", str(hub.settings)),
        env={**os.environ, "JUPYTERHUB_API_TOKEN": with_token, "JUPYTERHUB_API_URL": hub.api},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    (server,) = json.loads(out)["servers"]
    return f"{server['user']} {server['action']} {server['rule']}"

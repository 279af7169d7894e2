"""The quota service's scopes are the least that work: each is taken away once, on a real hub."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from jupytercloud_hub.hubapi import HubApi, HubApiError
from jupytercloud_hub.quotas.collector import Collector
from jupytercloud_hub.quotas.hub_age import hub_began
from jupytercloud_hub.quotas.metrics import Metrics
from jupytercloud_hub.quotas.service import open_ledger
from jupytercloud_hub.settings import load
from jupytercloud_hub.settings.configure.quotas import EXTERNAL_SCOPES, SCOPES
from jupytercloud_hub.storage import Database

from .helpers import intervals
from .hub import QuotaHub

EXTRA = """
for name, scopes in {roles!r}.items():
    c.JupyterHub.services.append({{"name": name, "api_token": "token-of-" + name.ljust(24, "x")}})
    c.JupyterHub.load_roles.append({{"name": "role-" + name, "services": [name], "scopes": scopes}})
"""


async def seen_with(hub: QuotaHub, name: str, database: Database) -> str:
    """Return what a look with a role's token finds of anna's server: profile, groups charged, cores."""

    async def now() -> datetime:
        return datetime.now(UTC)

    settings = load(hub.settings)
    ledger, _ = open_ledger(settings, database)
    async with HubApi(hub.api, "token-of-" + name.ljust(24, "x")) as api:
        began = datetime.now(UTC) - timedelta(hours=1)
        collector = Collector(ledger, api, settings, Metrics(CollectorRegistry()), now, began)
        try:
            await collector.look()
        except HubApiError as error:
            return f"no list: {error.status}"
    rows = await intervals(ledger)
    return ", ".join(
        f"{row.profile}, {row.cpu}, {sorted(name for kind, name in row.accounts if kind == 'group')}" for row in rows
    )


async def test_each_scope_of_the_quota_service_is_needed_and_none_lacks(tmp_path: Path) -> None:
    roles = {f"without-{number}": [other for other in SCOPES if other != scope] for number, scope in enumerate(SCOPES)}
    roles["whole"] = list(SCOPES)
    roles["external"] = [*SCOPES, *EXTERNAL_SCOPES]
    async with QuotaHub(tmp_path, {"heartbeat": "1 h"}, extra=EXTRA.format(roles=roles)) as hub:
        await hub.client.post(f"{hub.api}/users/anna")
        await hub.client.post(f"{hub.api}/groups/maths")
        await hub.client.post(f"{hub.api}/groups/maths/users", json={"users": ["anna"]})
        await hub.spawn("anna", profile="small", options={})
        # a profile that is gone from the settings: only the spawner's own record knows what the server holds
        hub.settings.write_text(hub.settings.read_text().replace('"small"', '"other"'))
        found = {}
        for name in roles:
            database = Database(f"sqlite:///{tmp_path / f'{name}.sqlite'}", "quotas")
            await database.upgrade()
            found[name] = await seen_with(hub, name, database)
            await database.close()
        ages = {}
        for name in ("whole", "external"):
            async with HubApi(hub.api, "token-of-" + name.ljust(24, "x")) as api:
                ages[name] = await hub_began(api)
    assert ages["whole"] is None  # a service that the hub did not start needs EXTERNAL_SCOPES to know this
    assert ages["external"] is not None
    assert timedelta() < datetime.now(UTC) - ages["external"] < timedelta(minutes=30)
    assert found.pop("external") == found["whole"]
    by_scope = {SCOPES[int(name.split("-")[1])]: what for name, what in found.items() if name != "whole"}
    assert found["whole"] == "small, 1000, ['maths']"
    assert by_scope == {
        "list:users": "no list: 403",
        "read:users:groups": "small, 1000, []",
        "read:servers": "",
        "admin:server_state": "unknown, 0, ['maths']",
    }

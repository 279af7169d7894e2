"""The scopes of an event's service are the least that work: each is taken away once, on a real hub."""

from __future__ import annotations

from pathlib import Path

from jupyterhub.services.auth import HubAuth
from traitlets.config import Config

from jupytercloud_hub.events.authenticator import seat_names
from jupytercloud_hub.events.service import keeper_of
from jupytercloud_hub.events.store import Store
from jupytercloud_hub.hubapi import HubApi, HubApiError
from jupytercloud_hub.settings import load
from jupytercloud_hub.settings.configure.event import SCOPES
from jupytercloud_hub.storage import Database
from tests.support.hub import stop_hub

from .conftest import INSIDE, Fair, make_event, start

ROLES = {f"without {scope}": [other for other in SCOPES if other != scope] for scope in SCOPES} | {"whole": [*SCOPES]}
NAMES = {role: role.replace(":", "-").replace(" ", "-") for role in ROLES}


def token(role: str) -> str:
    return "token-of-" + NAMES[role].ljust(40, "x")


def services() -> Config:
    config = Config()
    config.JupyterHub.services = [{"name": NAMES[role], "api_token": token(role)} for role in ROLES]
    config.JupyterHub.load_roles = [
        {"name": f"r-{NAMES[role]}", "services": [NAMES[role]], "scopes": scopes} for role, scopes in ROLES.items()
    ]
    return config


async def done_with(fair: Fair, role: str, folder: Path) -> str:
    """Return how far one pass of the keeper comes with this role's token."""
    settings = load(folder / "jupytercloud.yaml")
    database = Database(f"sqlite:///{folder / f'{NAMES[role]}.sqlite'}", "events")
    await database.upgrade()
    store = Store(database)
    assert settings.event
    await store.import_seats(seat_names(settings.event.seats))
    async with HubApi(fair.app.hub.api_url, token(role)) as api:
        keeper = keeper_of(settings, api, store, None, lambda: INSIDE)
        try:
            await keeper.run(warm=1)
        except HubApiError as error:
            return f"{error.path}: {error.status}"
        finally:
            await database.close()
    (seat,) = fair.app.users.values()
    return "server started" if seat.active else "account made, no server"


async def may_read_servers(fair: Fair, role: str) -> bool:
    """Say whether a seat's server lets this role's token in, as JupyterHub's own code in each server decides it."""
    wanted = {"access:servers", "access:servers!server=seat-0001/"}
    auth = HubAuth(api_url=fair.app.hub.api_url, api_token=token(role), access_scopes=wanted)
    model = await auth.user_for_token(token(role), sync=False)
    return bool(auth.check_scopes(wanted, model))


async def test_each_scope_of_the_events_service_is_needed_and_none_lacks(tmp_path: Path) -> None:
    folder = make_event(tmp_path)
    fair = await start(folder, extra=services())
    try:
        found = {role: await done_with(fair, role, folder) for role in ROLES if role != "without access:servers"}
        reads = {role for role in ROLES if await may_read_servers(fair, role)}
    finally:
        await stop_hub(fair.app)
    assert found == {
        "without admin:users": "users: 403",
        "without servers": "account made, no server",
        "whole": "server started",
    }
    assert set(ROLES) - reads == {"without access:servers"}

"""``jupytercloud servers``: what runs, as the hub and as the engine see it; and what nobody accounts for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contracts.text import Text
from ..contracts.units import format_duration, parse_duration
from ..hubapi.client import HubApi, HubApiError
from ..settings import Settings
from ..web.service import utc_now
from .checks.look import find_token
from .common import USAGE, WRONG, config_option, fail, json_option, language, load_or_fail, print_json, print_table, say

if TYPE_CHECKING:
    from ..spawners.sweep import Engine, Held, Owner

TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable
GRACE = "10 min"

token_option = click.option(
    "--token",
    envvar=TOKEN,
    help=f"A token with list:users and read:servers; better set {TOKEN} [default: the one that configure keeps].",
)
url_option = click.option(
    "--hub-api", envvar="JUPYTERHUB_API_URL", help="The hub's API; else site.url with hub/api behind it."
)
grace_option = click.option(
    "--grace", default=GRACE, show_default=True, help="How old something is before it counts as left behind."
)


@click.group()
def command() -> None:
    """Servers that run, and what a hub that was killed left behind at the engine.

    \b
    Examples:
      jupytercloud servers list --config jupytercloud.yaml
      jupytercloud servers sweep
      jupytercloud servers sweep --remove
    """


@command.command("list")
@config_option
@token_option
@url_option
@json_option
def list_(config: Path, token: str | None, hub_api: str | None, as_json: bool) -> None:
    """List what the engine holds, and whether the hub knows of it.

    \b
    Example:
      JUPYTERHUB_API_TOKEN=… jupytercloud servers list
    """
    settings = load_or_fail(config)
    held, known = asyncio.run(_both(settings, token, hub_api))
    if as_json:
        print_json([{**_as_json(thing), "known": thing.owner in known} for thing in held])
        return
    _print(held, known)


@command.command()
@click.option("--remove", is_flag=True, help="Remove what was found; without it nothing is touched.")
@grace_option
@config_option
@token_option
@url_option
@json_option
def sweep(remove: bool, grace: str, config: Path, token: str | None, hub_api: str | None, as_json: bool) -> None:
    """Find what no server of the hub accounts for; exit code 1 where there is some and it was not removed.

    Homes are never touched. Where the hub does not answer, nothing is removed.

    \b
    Examples:
      jupytercloud servers sweep
      jupytercloud servers sweep --remove --grace "30 min"
    """
    from ..spawners import sweep as sweeping

    settings = load_or_fail(config)
    age = _age(grace)
    held, known = asyncio.run(_both(settings, token, hub_api))
    lost = sweeping.orphans(held, known, utc_now(), age)
    if remove:
        asyncio.run(_remove(settings, lost))
    if as_json:
        print_json({"removed": remove, "orphans": [_as_json(thing) for thing in lost]})
    elif lost:
        _print(lost, known)
        if not remove:
            click.echo(say(Text("Nothing was touched; --remove removes them.")), err=True)
    else:
        click.echo(say(Text("Nothing was left behind.")))
    if lost and not remove:
        raise SystemExit(WRONG)


def _age(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        fail(error.args[0], USAGE)


def engine_of(settings: Settings) -> Engine:
    """Return what holds this hub's servers."""
    spawner = settings.spawner
    if spawner is not None and spawner.backend == "swarm":
        from ..spawners.swarm_sweep import SwarmEngine

        return SwarmEngine(settings.site.name)
    if spawner is not None and spawner.backend == "kubernetes":
        from ..spawners.kubernetes_sweep import KubernetesEngine

        if not spawner.kubernetes.namespace:
            fail(Text("Name the namespace in spawner.kubernetes.namespace: this command looks nowhere else."), USAGE)
        return KubernetesEngine(settings.site.name, spawner.kubernetes.namespace)
    from ..spawners.local_sweep import LocalEngine

    return LocalEngine(settings.site.name)


async def _both(settings: Settings, token: str | None, hub_api: str | None) -> tuple[list[Held], set[Owner]]:
    token = token or find_token(settings, None)[0]
    if not token:
        fail(Text("A token is missing: set {name}.", name=TOKEN), USAGE)
    held = sorted(await engine_of(settings).held(), key=lambda thing: thing.name)
    url = hub_api or f"{settings.site.url}hub/api"
    try:
        async with HubApi(url, token) as api:
            return held, await known_owners(api)
    except HubApiError as error:
        fail(Text("The hub does not answer at {url}: {error}", url=url, error=str(error)))


async def known_owners(api: HubApi) -> set[Owner]:
    """Return whose servers the hub knows, those that start and stop too."""
    from ..spawners.base import slug

    return {
        (slug(user["name"]), slug(server) if server else "")
        async for user in api.users(state="active")
        for server in user.get("servers") or {}
    }


async def _remove(settings: Settings, lost: list[Held]) -> None:
    engine = engine_of(settings)
    for thing in lost:
        await engine.remove(thing.name)


def _print(held: list[Held], known: set[Owner]) -> None:
    now = utc_now()
    heads = [Text("name"), Text("profile"), Text("age"), Text("engine"), Text("hub")]
    rows: list[list[Any]] = [
        [
            thing.name,
            thing.profile,
            format_duration(now - thing.made, language()),
            say(thing.state),
            say(Text("known")) if thing.owner in known else say(Text("not known")),
        ]
        for thing in held
    ]
    print_table([say(head) for head in heads], rows)


def _as_json(thing: Held) -> dict[str, Any]:
    return {
        "name": thing.name,
        "user": thing.user,
        "server": thing.server,
        "profile": thing.profile,
        "made": thing.made.isoformat(),
        "state": str(thing.state),
    }

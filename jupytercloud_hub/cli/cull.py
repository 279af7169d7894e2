"""``jupytercloud cull``: what the culler would do, and one pass by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..contracts.text import Localized, Text
from ..contracts.units import format_duration
from ..hubapi.client import HubApi, HubApiError
from ..settings import Settings
from ..settings.configure.names import CULL_TOKEN_FILE
from ..settings.culling import CullingSettings
from ..web.i18n import render
from .checks.look import find_token
from .common import (
    USAGE,
    config_option,
    fail,
    json_option,
    language,
    load_or_fail,
    print_json,
    print_table,
    say,
)

if TYPE_CHECKING:
    from ..culling.passes import Pass, Standing
    from ..culling.rules import Maintenance
    from ..culling.store import Store

T = TypeVar("T")

TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable
API_URL = "JUPYTERHUB_API_URL"
ACTIVITY = "read:users:activity"

token_option = click.option(
    "--token",
    envvar=TOKEN,
    help=f"A token with the culler's scopes; better set {TOKEN}: arguments are seen by the whole machine.",
)
url_option = click.option(
    "--hub-api", envvar=API_URL, help=f"The hub's API; {API_URL}, else site.url with hub/api behind it."
)


@click.group()
def command() -> None:
    """Idle servers: which will be stopped, when and why.

    \b
    Examples:
      jupytercloud cull plan --config jupytercloud.yaml
      jupytercloud cull plan --json
      jupytercloud cull run
      jupytercloud cull maintenance --at 2026-12-24T18:00+01:00 --message "Coupure électrique"
      jupytercloud cull away
    """


@command.command()
@config_option
@token_option
@url_option
@json_option
def plan(config: Path, token: str | None, hub_api: str | None, as_json: bool) -> None:
    """Show for each running server what a pass would do now, and the rule that says so. Nothing is stopped.

    On the hub's machine, the hub's own account needs no token.

    \b
    Example:
      jupytercloud cull plan --json
    """
    settings = load_or_fail(config)
    at, standings = _with_culler(settings, token, hub_api, "plan")
    if as_json:
        from ..culling.api import PlanView, view

        culling, zone = _culling(settings), settings.site.zone
        servers = tuple(view(standing, culling, zone, language()) for standing in standings)
        print_json(PlanView(at=at, servers=servers).model_dump(mode="json"))
        return
    heads = [Text("user"), Text("server"), Text("does"), Text("stops in"), Text("rule"), Text("why")]
    print_table([say(head) for head in heads], [_row(standing, at) for standing in standings])


@command.command()
@config_option
@token_option
@url_option
@json_option
def run(config: Path, token: str | None, hub_api: str | None, as_json: bool) -> None:
    """Run one pass now, as the service does: warn, and stop what was warned long enough ago.

    On the hub's machine, the hub's own account needs no token.

    \b
    Example:
      jupytercloud cull run
    """
    settings = load_or_fail(config)
    done: Pass | None = _with_culler(settings, token, hub_api, "run")
    if done is None:
        fail(Text("The service runs a pass at this moment: try again when it is over."))
    actions: dict[str, int] = {}
    for verdict in done.verdicts:
        actions[verdict.action.value] = actions.get(verdict.action.value, 0) + 1
    if as_json:
        print_json({"at": done.at.isoformat(), "decided": actions, "stops": dict(done.outcomes)})
    else:
        counts = {**actions, **{f"→ {name}": count for name, count in done.outcomes.items()}}
        print_table([say(Text("does")), say(Text("servers"))], counts.items())
    if done.outcomes["failed"]:
        raise SystemExit(1)


@command.command()
@click.option("--at", help="When everything stops: a date and a time with its zone, 2026-12-24T18:00+01:00.")
@click.option("--message", help="What people are told, in French (and in English if --message-en is not given).")
@click.option("--message-en", help="What people are told in English.")
@click.option("--cancel", is_flag=True, help="Take the announcement back.")
@config_option
@json_option
def maintenance(
    at: str | None, message: str | None, message_en: str | None, cancel: bool, config: Path, as_json: bool
) -> None:
    """Stop every server at an hour, for a maintenance: people are told from now on, and can't put it off.

    Without options, show what is announced. The service acts on it at its next pass.

    \b
    Examples:
      jupytercloud cull maintenance --at 2026-12-24T18:00+01:00 --message "Coupure électrique"
      jupytercloud cull maintenance --cancel
    """
    settings = load_or_fail(config)
    moment = _moment(at)
    if (moment is None) != (message is None) or (cancel and moment):
        fail(Text("Give --at with --message, or --cancel alone."), USAGE)

    async def change(store: Store) -> Maintenance | None:
        if cancel:
            await store.set_maintenance(None)
        elif moment is not None:
            from ..culling.rules import Maintenance

            texts = {"fr": message or "", "en": message_en or message or ""}
            await store.set_maintenance(Maintenance(moment, Localized(texts)))
        return await store.maintenance()

    announced: Maintenance | None = asyncio.run(_with_store(settings, change))
    if as_json:
        shown = {"at": announced.at.isoformat(), "message": announced.message.dump()} if announced else None
        print_json({"maintenance": shown})
    elif announced:
        when = announced.at.astimezone(settings.site.zone).isoformat(timespec="minutes")
        text = announced.message.in_(language())
        click.echo(say(Text("Everything is stopped at {when}: {message}", when=when, message=text)))
    else:
        click.echo(say(Text("No maintenance is announced.")))


@command.command()
@config_option
@token_option
@url_option
@json_option
def away(config: Path, token: str | None, hub_api: str | None, as_json: bool) -> None:
    """List users who were not seen for culling.away_after. Their files are never touched.

    The token needs list:users and read:users:activity.

    \b
    Example:
      JUPYTERHUB_API_TOKEN=… jupytercloud cull away --json
    """
    from ..culling.away import gone_quiet
    from ..web.service import utc_now

    settings = load_or_fail(config)
    if not token:
        fail(Text("A token is missing: set {name}.", name=TOKEN), USAGE)
    url = hub_api or f"{settings.site.url}hub/api"
    after = _culling(settings).away_after

    async def call() -> list[tuple[str, datetime]]:
        async with HubApi(url, token) as api:
            users = [user async for user in api.users()]
        if any("last_activity" not in user for user in users):
            fail(Text("The token does not show when users were last seen: it lacks {scope}.", scope=ACTIVITY))
        return gone_quiet(users, utc_now() - after)

    found = _ask(call, url)
    if as_json:
        print_json([{"user": user, "last_seen": seen.isoformat()} for user, seen in found])
    else:
        heads = [say(Text("user")), say(Text("last seen"))]
        print_table(heads, [(user, seen.astimezone(settings.site.zone).date()) for user, seen in found])


def _culling(settings: Settings) -> CullingSettings:
    return settings.culling or CullingSettings()


def _moment(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        fail(Text("{value} is not a time with its zone, such as 2026-12-24T18:00+01:00.", value=value), USAGE)
    return moment


async def _with_store(settings: Settings, call: Callable[[Store], Awaitable[T]]) -> T:
    from ..culling.service import PART
    from ..culling.store import Store
    from ..storage.parts import UpgradeError
    from ..storage.plain import PlainDatabase

    database = PlainDatabase(settings.database_url(PART), PART)
    try:
        await database.upgrade()
        return await call(Store(database))
    except UpgradeError as error:
        fail(Text("the database of {part} can't be used: {error}", part=PART, error=str(error)))
    finally:
        await database.close()


def _ask(call: Callable[[], Coroutine[Any, Any, T]], url: str) -> T:
    try:
        return asyncio.run(call())
    except HubApiError as error:
        fail(Text("The hub at {url} gave no list of users or servers: {error}", url=url, error=str(error)))


def _row(standing: Standing, at: Any) -> list[str]:
    verdict = standing.verdict
    left = verdict.stops_at - at if verdict.stops_at else None
    return [
        verdict.server.user,
        verdict.server.name or "~",
        verdict.action.value,
        format_duration(max(left, timedelta(0)), language()) if left is not None else "-",
        verdict.planned.rule if verdict.planned else "-",
        render(verdict.reason, language()),
    ]


def _with_culler(settings: Settings, token: str | None, hub_api: str | None, what: str) -> Any:
    """Return what a method of the culler gives, beside the service and on the same database."""
    token = token or find_token(settings, None, CULL_TOKEN_FILE)[0]
    if not token:
        fail(Text("A token is missing: set {name}.", name=TOKEN), USAGE)
    url = hub_api or f"{settings.site.url}hub/api"

    async def call() -> Any:
        return await _with_store(settings, on_store)

    async def on_store(store: Store) -> Any:
        from prometheus_client import CollectorRegistry

        from ..culling.metrics import Metrics
        from ..culling.passes import Busy, Culler
        from ..culling.service import open_api, open_asked
        from ..web.service import utc_now

        culling = _culling(settings)
        api, asked = open_api(settings, url, token), open_asked(settings, token)
        metrics = Metrics(CollectorRegistry())
        culler = Culler(culling, settings.site.zone, api, store, metrics, utc_now, asked)
        try:
            return await (culler.plan() if what == "plan" else culler.run())
        except Busy:
            return None
        finally:
            await api.close()
            if asked:
                await asked.close()

    return _ask(call, url)

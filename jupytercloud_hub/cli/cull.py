"""``jupytercloud cull``: what the culler would do, and one pass by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contracts.text import Text
from ..contracts.units import format_duration
from ..hubapi.client import HubApi, HubApiError
from ..settings import Settings
from ..web.i18n import render
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
    from ..culling.passes import Culler, Pass, Standing

TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable
API_URL = "JUPYTERHUB_API_URL"

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
    """


@command.command()
@config_option
@token_option
@url_option
@json_option
def plan(config: Path, token: str | None, hub_api: str | None, as_json: bool) -> None:
    """Show for each running server what a pass would do now, and the rule that says so. Nothing is stopped.

    \b
    Example:
      JUPYTERHUB_API_TOKEN=… jupytercloud cull plan --json
    """
    settings = load_or_fail(config)
    at, standings = _with_culler(settings, token, hub_api, "plan")
    if as_json:
        from ..culling.api import PlanView, keep_view, view

        servers = tuple(view(s.verdict, keep_view(s.keep, language()), language()) for s in standings)
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

    \b
    Example:
      JUPYTERHUB_API_TOKEN=… jupytercloud cull run
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
    if not token:
        fail(Text("A token is missing: set {name}.", name=TOKEN), USAGE)
    url = hub_api or f"{settings.site.url}hub/api"

    async def call() -> Any:
        from prometheus_client import CollectorRegistry

        from ..culling.metrics import Metrics
        from ..culling.passes import Busy, Culler
        from ..culling.service import PART, open_api, open_asked
        from ..culling.store import Store
        from ..settings.culling import CullingSettings
        from ..storage import Database
        from ..web.service import utc_now

        database = Database(settings.database_url(PART), PART)
        await database.upgrade()
        api: HubApi = open_api(settings, url, token)
        asked = open_asked(settings, token)
        culler: Culler = Culler(
            settings.culling or CullingSettings(),
            settings.site.zone,
            api,
            Store(database),
            Metrics(CollectorRegistry()),
            utc_now,
            asked,
        )
        try:
            return await (culler.plan() if what == "plan" else culler.run())
        except Busy:
            return None
        finally:
            await api.close()
            if asked:
                await asked.close()
            await database.close()

    try:
        return asyncio.run(call())
    except HubApiError as error:
        fail(Text("The hub at {url} gave no list of servers: {error}", url=url, error=str(error)))

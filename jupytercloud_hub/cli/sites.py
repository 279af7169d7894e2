"""``jupytercloud sites``: the federation's sites, as the portal sees them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import httpx

from ..contracts.loopback import is_loopback
from ..contracts.text import Localized, Text
from ..federation.model import SiteState
from ..federation.words import STATES
from ..settings import Settings
from . import site_keys, site_orders
from .common import USAGE, config_option, fail, json_option, language, load_or_fail, print_json, print_table, say

TOKEN_VARIABLE = "JUPYTERCLOUD_API_TOKEN"  # noqa: S105 - the variable's name
SECONDS = 10.0


@click.group()
def command() -> None:
    """Sites of the federation: list, register, drain, and explain where somebody is sent."""


for one in (*site_keys.COMMANDS, *site_orders.COMMANDS):
    command.add_command(one)


@command.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """List every site with its state, as the portal that runs sees them; on the portal or on a site.

    \b
    Examples:
      jupytercloud sites list
      jupytercloud sites list --json | jq '.sites[].state'
    """
    status = ask(load_or_fail(config), "status")
    if as_json:
        print_json(status)
        return
    rows = []
    for site in status["sites"]:
        title = Localized(site["title"]).in_(language())
        rows.append((site["name"], say(STATES[SiteState(site["state"])]), site["reason"], site["url"], title))
    print_table(("SITE", "STATE", "FOUND", "URL", "TITLE"), rows)


@command.command()
@click.option("--user", required=True, help="The portal's name of the person.")
@click.option("--profile", default="", help="The profile that the link names.")
@click.option("--site", default="", help="The site that the link names.")
@config_option
@json_option
def explain(user: str, profile: str, site: str, config: Path, as_json: bool) -> None:
    """Say where a person is sent and why, and why not to each other site. Nothing is changed.

    Needs a token of the portal's hub in JUPYTERCLOUD_API_TOKEN: an administrator's, or one with the scope
    custom:jupytercloud:explain.

    \b
    Examples:
      jupytercloud sites explain --user marie.curie
      jupytercloud sites explain --user marie.curie --profile gpu --json
    """
    answer = ask(load_or_fail(config), "explain", token=True, user=user, profile=profile, site=site)
    if as_json:
        print_json(answer)
        return
    click.echo(f"{answer['user']} → {answer['site'] or '—'} ({answer['outcome']})")
    click.echo(f"  {answer['reason']}")
    for name, why in answer["others"].items():
        click.echo(f"  {name}: {why}")


def portal_url(settings: Settings) -> str:
    """Return the address of the federation service of this hub's portal. Ends the command where there is none."""
    if settings.site.role == "portal":
        return f"{settings.site.url}services/federation/"
    if settings.federation and settings.federation.portal:
        return f"{settings.federation.portal.url}services/federation/"
    fail(Text("this hub is no portal and belongs to none: there are no sites"), USAGE)


def ask(settings: Settings, path: str, *, token: bool = False, **query: str) -> Any:
    """Return the JSON of a GET of the portal's API, or end the command with what went wrong."""
    headers: dict[str, str] = {"Accept-Language": language()}
    if token:
        value = os.environ.get(TOKEN_VARIABLE)
        if not value:
            fail(Text("the environment variable {name} is not set", name=TOKEN_VARIABLE), USAGE)
        headers["Authorization"] = f"Bearer {value}"
    url = f"{portal_url(settings)}api/v1/{path}"
    try:
        with httpx.Client(timeout=SECONDS, trust_env=not is_loopback(url)) as client:
            response = client.get(url, params={key: value for key, value in query.items() if value}, headers=headers)
    except httpx.HTTPError as error:
        fail(Text("the portal at {url} does not answer: {error}", url=url, error=str(error)))
    try:
        answer = response.json()
    except ValueError:
        fail(
            Text("the portal at {url} answered with status {status} and no JSON", url=url, status=response.status_code)
        )
    if response.status_code != 200:
        told = answer.get("error") or {}
        fail(f"{response.status_code}: {told.get('message', '')}. {told.get('detail', '')}")
    return answer

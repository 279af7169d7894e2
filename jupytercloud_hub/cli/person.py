"""``jupytercloud person``: everything that the parts of a hub keep about somebody, shown or forgotten."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import sys
from collections.abc import Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from ..contracts.text import Text
from ..settings import Settings
from ..storage import Database, database
from .common import USAGE, WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table, say

STORES = {
    "auth": "..auth.store",
    "federation": "..federation.store",
    "culling": "..culling.personal",
    "quotas": "..quotas.store",
    "events": "..events.store",
}
"""Parts that keep rows about people, in the order in which they forget: the username is barred first."""

TOKEN_VARIABLE = "JUPYTERCLOUD_API_TOKEN"  # noqa: S105 - the variable's name
Rows = dict[str, dict[str, Any] | None]
"""What each part keeps; None: the part has no tables here."""


@click.group()
def command() -> None:
    """Export or erase what the parts of this hub keep about a person.

    A federation is many hubs: ask at each of them, and at the portal.
    """


@command.command()
@click.argument("user")
@config_option
@json_option
def export(user: str, config: Path, as_json: bool) -> None:
    """Print all that the parts of this hub keep about USER, as JSON: for the right of access.

    JupyterHub's own account (name, groups, tokens) and the files in the home are not in it.

    \b
    Examples:
      jupytercloud person export marie.curie
      jupytercloud person export marie.curie > marie.curie.json
    """
    settings = load_or_fail(config)
    parts = asyncio.run(_rows(settings, user))
    print_json(
        {
            "username": user,
            "hub": settings.site.name,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "parts": _plain(parts),
        }
    )


@command.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--hub-account",
    is_flag=True,
    help=f"Delete JupyterHub's own account too, servers first; an administrator's token stands in {TOKEN_VARIABLE}.",
)
@config_option
@json_option
def erase(user: str, yes: bool, hub_account: bool, config: Path, as_json: bool) -> None:
    """Make the parts of this hub forget USER. Totals stay; nobody ever gets the username again.

    Rows are deleted, or stand under a pseudonym where a total needs them. It can be run again: what a server
    that was still running has written since is then erased too. Files in the home are not touched.

    \b
    Examples:
      jupytercloud person erase marie.curie
      JUPYTERCLOUD_API_TOKEN=… jupytercloud person erase marie.curie --hub-account --yes
    """
    settings = load_or_fail(config)
    found = asyncio.run(_rows(settings, user))
    counts = {part: _count(rows) for part, rows in found.items() if rows is not None}
    if not any(counts.values()) and not hub_account:
        _report(as_json, user, counts, counts, [Text("nothing is kept about {user} here", user=user)])
        return
    if not yes:
        _ask(user, counts)
    notes = [_delete_account(settings, user)] if hub_account else []
    left = asyncio.run(_erase(settings, user))
    if not hub_account:
        notes.append(
            Text("JupyterHub's own account of {user} was not touched: --hub-account deletes it too", user=user)
        )
    if any(left.values()):
        notes.append(Text("rows of servers that still run stay: run this again when they have ended"))
    _report(as_json, user, counts, left, notes)


def _ask(user: str, counts: Mapping[str, int]) -> None:
    if not sys.stdin.isatty():
        fail(Text("nobody can be asked here: give --yes"), USAGE)
    print_table(("part", "rows"), counts.items())
    question = say(Text("Forget {user} for good, and never give this username again?", user=user))
    if not click.confirm(question):
        raise SystemExit(WRONG)


def _report(as_json: bool, user: str, before: Mapping[str, int], left: Mapping[str, int], notes: list[Text]) -> None:
    if as_json:
        erased = {part: count - left.get(part, 0) for part, count in before.items()}
        print_json({"username": user, "erased": erased, "left": dict(left), "notes": [say(note) for note in notes]})
        return
    if any(before.values()):
        print_table(("part", "rows", "left"), [(part, count, left.get(part, 0)) for part, count in before.items()])
    for note in notes:
        click.echo(say(note))


@asynccontextmanager
async def _session(settings: Settings, part: str) -> Any:
    """Give a session on a part's tables; None where this hub has none."""
    url = settings.database_url(part)
    try:
        state = await asyncio.to_thread(database.state, url, part)
        if state == "absent":
            yield None
            return
        if state != "current":
            fail(Text("the tables of {part} are of another version: jupytercloud db upgrade", part=part))
        opened = Database(url, part)
        try:
            async with opened.session() as session:
                yield session
        finally:
            await opened.close()
    except SQLAlchemyError as error:
        fail(Text("the database of {part} can't be used: {error}", part=part, error=database.short(error)))


async def _rows(settings: Settings, user: str) -> Rows:
    found: Rows = {}
    for part, module in STORES.items():
        async with _session(settings, part) as session:
            found[part] = await import_module(module, __package__).export(session, user) if session else None
    return found


async def _erase(settings: Settings, user: str) -> dict[str, int]:
    """Erase part by part, each in its own transaction, and return how many rows are left of each."""
    pseudonym = _pseudonym(settings, user)
    for part, module in STORES.items():
        async with _session(settings, part) as session:
            if session:
                await import_module(module, __package__).erase(session, user, pseudonym)
    return {part: _count(rows) for part, rows in (await _rows(settings, user)).items() if rows is not None}


def _pseudonym(settings: Settings, user: str) -> str:
    """Return the same name for the same person each time, from which nobody without the key gets back to her."""
    from ..web.context import kept_secret

    key = kept_secret(settings.state_folder, "erasure_key")
    return f"erased-{hmac.new(key, user.encode(), hashlib.sha256).hexdigest()[:20]}"


def _delete_account(settings: Settings, user: str) -> Text:
    from urllib.parse import quote

    from ..hubapi import HubApi, HubApiError

    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        fail(Text("{name} is not set: an administrator's token of this hub is needed", name=TOKEN_VARIABLE), USAGE)

    async def delete() -> Text:
        async with HubApi(f"{settings.site.url}hub/api", token, timeout=60) as api:
            try:
                await api.delete(f"users/{quote(user, safe='')}")
            except HubApiError as error:
                if error.status != 404:
                    fail(Text("the hub did not delete the account: {error}", error=str(error)))
                return Text("JupyterHub knows no {user}", user=user)
            return Text("JupyterHub's own account of {user} is deleted, with its servers", user=user)

    return asyncio.run(delete())


def _count(rows: Mapping[str, Any] | None) -> int:
    """Return how many rows an export holds."""
    return sum(len(value) if isinstance(value, list) else value is not None for value in (rows or {}).values())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime) else value

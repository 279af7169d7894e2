"""``jupytercloud db``: the version of each part's tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from ..contracts.text import Text
from ..settings import Settings
from ..storage import database
from .checks.database import parts as parts_of
from .common import WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table, say

STATES: dict[database.State, Text] = {
    "current": Text("current"),
    "old": Text("to be upgraded: jupytercloud db upgrade"),
    "absent": Text("to be made: jupytercloud db upgrade"),
    "newer": Text("made by a newer version of jupytercloud-hub: install that one"),
}


@click.group()
def command() -> None:
    """Upgrade and look at the database."""


def parts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each part of this hub that keeps something in a database, with its address."""
    for part in parts_of(settings):
        yield part, settings.database_url(part)


@command.command()
@config_option
def upgrade(config: Path) -> None:
    """Bring all tables to the newest version; services do so by themselves when they start.

    \b
    Example:
      jupytercloud db upgrade --config jupytercloud.yaml
    """
    settings = load_or_fail(config)
    for part, url in parts(settings):
        try:
            database.Database(url, part)  # makes the folder of a SQLite file
            database.upgrade(url, part)
        except SQLAlchemyError as error:
            fail(Text("{part}: the database can't be upgraded: {error}", part=part, error=database.short(error)))
        click.echo(f"{part}: ok ({_shown(url)})")


@command.command()
@config_option
@json_option
def current(config: Path, as_json: bool) -> None:
    """Say for each part whether its tables are at the newest version.

    \b
    Example:
      jupytercloud db current --json
    """
    _print(_states(load_or_fail(config)), as_json)


@command.command()
@config_option
@json_option
def check(config: Path, as_json: bool) -> None:
    """Like current, with exit code 1 unless all tables are at the newest version.

    \b
    Example:
      jupytercloud db check --config jupytercloud.yaml
    """
    rows = _states(load_or_fail(config))
    _print(rows, as_json)
    if any(state != STATES["current"] for _, _, state in rows):
        raise SystemExit(WRONG)


def _print(rows: list[tuple[str, str, Text]], as_json: bool) -> None:
    if as_json:
        print_json([{"part": part, "database": url, "state": str(state)} for part, url, state in rows])
    else:
        heads = [say(Text("part")), say(Text("database")), say(Text("state"))]
        print_table(heads, [(part, url, say(state)) for part, url, state in rows])


def _states(settings: Settings) -> list[tuple[str, str, Text]]:
    rows = []
    for part, url in parts(settings):
        try:
            state = STATES[database.state(url, part)]
        except SQLAlchemyError as error:
            state = Text("not reachable: {error}", error=database.short(error))
        rows.append((part, _shown(url), state))
    return rows


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)

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
from ..storage.parts import PARTS
from .common import WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table

STATES: dict[database.State, str] = {
    "current": "current",
    "old": "to be upgraded: jupytercloud db upgrade",
    "absent": "to be made: jupytercloud db upgrade",
    "newer": "made by a newer version of jupytercloud-hub: install that one",
}


@click.group()
def command() -> None:
    """Upgrade and look at the database."""


def parts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each part that has migrations, with its address."""
    folder = Path(database.__file__).parent / "migrations" / "versions"
    for part in PARTS:
        if (folder / part).is_dir():
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
    rows = _states(load_or_fail(config))
    if as_json:
        print_json([{"part": part, "database": url, "state": state} for part, url, state in rows])
    else:
        print_table(("part", "database", "state"), rows)


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
    if as_json:
        print_json([{"part": part, "database": url, "state": state} for part, url, state in rows])
    else:
        print_table(("part", "database", "state"), rows)
    if any(state != "current" for _, _, state in rows):
        raise SystemExit(WRONG)


def _states(settings: Settings) -> list[tuple[str, str, str]]:
    rows = []
    for part, url in parts(settings):
        try:
            state = STATES[database.state(url, part)]
        except SQLAlchemyError as error:
            state = f"not reachable: {database.short(error)}"
        rows.append((part, _shown(url), state))
    return rows


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)

"""``jupytercloud homes``: whose files are here, since when they were not used; packed away and deleted by hand only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from ..contracts.text import Text
from ..contracts.units import format_bytes, format_duration, parse_duration
from ..settings import Settings
from ..web.service import utc_now
from .common import USAGE, config_option, fail, json_option, language, load_or_fail, print_json, print_table, say

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the homes, as this machine sees it; known for backend: local.",
)


@click.group()
def command() -> None:
    """People's files on a file system that this machine sees. Nothing else ever deletes them.

    \b
    Examples:
      jupytercloud homes list --inactive "365 d"
      jupytercloud homes archive amelie --to /srv/archive
      jupytercloud homes delete amelie --yes
    """


@command.command("list")
@click.option("--inactive", help='Only homes in which nothing changed for so long, such as "180 d".')
@folder_option
@config_option
@json_option
def list_(inactive: str | None, folder: Path | None, config: Path, as_json: bool) -> None:
    """List the homes, the longest unused first, with their size.

    \b
    Example:
      jupytercloud homes list --inactive "180 d" --json
    """
    from ..spawners.homes_kept import kept

    age = _age(inactive)
    now = utc_now()
    homes = [home for home in kept(_folder(load_or_fail(config), folder)) if now - home.used >= age]
    if as_json:
        print_json([{"name": home.slug, "bytes": home.size, "used": home.used.isoformat()} for home in homes])
        return
    heads = [Text("name"), Text("size"), Text("unused for")]
    rows: list[list[Any]] = [
        [home.slug, format_bytes(home.size), format_duration(now - home.used, language())] for home in homes
    ]
    print_table([say(head) for head in heads], rows)


@command.command()
@click.argument("name")
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the archives.")
@folder_option
@config_option
def archive(name: str, to: Path, folder: Path | None, config: Path) -> None:
    """Pack the home NAME into a tar file that only its owner's account reads; the home stays.

    \b
    Example:
      jupytercloud homes archive amelie --to /srv/archive
    """
    from ..spawners import homes_kept

    try:
        path = homes_kept.archive(_folder(load_or_fail(config), folder), name, to)
    except homes_kept.HomeError as error:
        fail(error.text)
    click.echo(str(path))


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@folder_option
@config_option
def delete(name: str, yes: bool, folder: Path | None, config: Path) -> None:
    """Delete the home NAME with all files in it. There is no way back.

    \b
    Example:
      jupytercloud homes delete amelie
    """
    from ..spawners import homes_kept

    homes = _folder(load_or_fail(config), folder)
    if not yes:
        click.confirm(say(Text("Delete {path} and all files in it?", path=str(homes / name))), abort=True)
    try:
        homes_kept.delete(homes, name)
    except homes_kept.HomeError as error:
        fail(error.text)
    click.echo(say(Text("Deleted: {path}", path=str(homes / name))))


def _age(text: str | None) -> timedelta:
    if text is None:
        return timedelta(0)
    try:
        return parse_duration(text)
    except ValueError as error:
        fail(error.args[0], USAGE)


def _folder(settings: Settings, given: Path | None) -> Path:
    if given is not None:
        return given
    spawner = settings.spawner
    if spawner is None or spawner.backend != "local":
        fail(Text("Name the folder of the homes, as this machine sees it: --folder."), USAGE)
    return settings.folder / spawner.local.homes if spawner.local.homes else settings.state_folder / "homes"

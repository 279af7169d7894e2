"""``jupytercloud quotas storage``: how large homes are."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from ..contracts.text import Text
from ..contracts.units import format_bytes
from ..settings import Settings
from .common import config_option, fail, json_option, load_or_fail, print_json, print_table, say


@click.command()
@click.option("--homes", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of the homes.")
@click.option("--import", "source", type=click.File(), help="A report of the storage instead; - is standard input.")
@click.option("--format", "form", type=click.Choice(["du", "xfs", "csv"]), default="du", show_default=True)
@config_option
@json_option
def storage(homes: Path | None, source: TextIO | None, form: str, config: Path, as_json: bool) -> None:
    """Show what homes take, the largest first. Nothing is changed.

    Without options, the homes of the local backend are measured.

    \b
    Examples:
      jupytercloud quotas storage --homes /srv/homes
      xfs_quota -x -c 'report -N -u' /srv | jupytercloud quotas storage --import - --format xfs
    """
    from ..quotas.homes import ReportError, measure, read

    settings = load_or_fail(config)
    try:
        if source is not None:
            found = read(form, source)
        else:
            folder = homes or _local_homes(settings)
            if not folder.is_dir():
                fail(Text("There are no homes in {folder}: name it with --homes.", folder=str(folder)))
            found = list(measure(folder))
    except ReportError as error:
        fail(
            Text(
                "Line {line} of the report: {text} is not {expected}",
                line=error.line,
                text=error.text,
                expected=error.expected,
            )
        )
    found.sort(key=lambda home: (-home.bytes, home.name))
    if as_json:
        print_json([{"name": home.name, "bytes": home.bytes, "limit": home.limit} for home in found])
        return
    rows = [(home.name, format_bytes(home.bytes), format_bytes(home.limit) if home.limit else "") for home in found]
    total = format_bytes(sum(home.bytes for home in found))
    print_table([say(head) for head in (Text("name"), Text("size"), Text("limit"))], rows)
    click.echo(say(Text("{count} homes, {total}", count=len(found), total=total)))


def _local_homes(settings: Settings) -> Path:
    local = settings.spawner.local.homes if settings.spawner else None
    return settings.folder / local if local else settings.state_folder / "homes"

"""What the commands share: where the configuration is, tables, JSON, exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ..contracts.text import Language, Text
from ..settings import Problem, Settings, SettingsError, load
from ..web.i18n import negotiate, render

WRONG = 1
"""Something is wrong with what was looked at."""
USAGE = 2
"""The command was used wrongly."""

config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("jupytercloud.yaml"),
    show_default=True,
    envvar="JUPYTERCLOUD_CONFIG",
    help="The hub's configuration file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def language() -> Language:
    """Return the language of the terminal: that of the locale, French where it says nothing."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return negotiate(next((os.environ[name] for name in names if os.environ.get(name)), None))


def say(text: Text) -> str:
    """Return a sentence in the language of the terminal."""
    return render(text, language())


def fail(text: Text | str, code: int = WRONG) -> NoReturn:
    """Print what is wrong to standard error and end with the exit code."""
    click.echo(say(text) if isinstance(text, Text) else text, err=True)
    raise SystemExit(code)


def load_or_fail(path: Path) -> Settings:
    """Return the settings, or print each mistake as ``file:line:column: …`` and end with code 1."""
    try:
        return load(path)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(f"{problem.place}: {say(problem.text())}", err=True)
        raise SystemExit(WRONG) from None


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def problem_as_json(problem: Problem) -> dict[str, Any]:
    """Return a problem of a file as machines read it."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "key": problem.path,
        "value": problem.value,
        "rule": say(problem.rule),
        "hint": say(problem.hint) if problem.hint else None,
    }


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns, without frames, so that they can be cut and grepped."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[index]) for line in [list(heads), *cells]) for index in range(len(heads))]
    for line in [list(heads), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

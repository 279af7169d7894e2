"""``jupytercloud settings``: is the file right, what can stand in it, what is in force."""

from __future__ import annotations

from pathlib import Path

import click

from ..contracts.text import Text
from ..settings import SettingsError, load
from .common import WRONG, config_option, json_option, load_or_fail, print_json, problem_as_json, say


@click.group()
def command() -> None:
    """Validate, describe and show the configuration file."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def validate(file: Path, as_json: bool) -> None:
    """Tell every mistake of FILE with its line; exit code 1 if there is one.

    \b
    Example:
      jupytercloud settings validate jupytercloud.yaml
    """
    try:
        load(file)
    except SettingsError as error:
        if as_json:
            print_json({"valid": False, "problems": [problem_as_json(problem) for problem in error.problems]})
        else:
            for problem in error.problems:
                click.echo(f"{problem.place}: {say(problem.text())}", err=True)
            count = len(error.problems)
            click.echo(say(Text("{count} to mend in {file}", count=count, file=str(file))), err=True)
        raise SystemExit(WRONG) from None
    if as_json:
        print_json({"valid": True, "problems": []})
    else:
        click.echo(say(Text("{file}: no mistake found", file=str(file))))


@command.command()
def schema() -> None:
    """Print the JSON Schema of the file, for editors that complete and check while typing.

    \b
    Example:
      jupytercloud settings schema > jupytercloud.schema.json
      # first line of jupytercloud.yaml:
      # yaml-language-server: $schema=jupytercloud.schema.json
    """
    from ..settings.schema import json_schema

    print_json(json_schema())


@command.command()
@config_option
@json_option
def show(config: Path, as_json: bool) -> None:
    """Print what is in force, defaults included; of a secret only the place where it is kept.

    \b
    Example:
      jupytercloud settings show --config jupytercloud.yaml
    """
    settings = load_or_fail(config)
    data = settings.model_dump(mode="json", exclude_none=True)
    data["database"]["url"] = _hidden(data["database"]["url"])
    data["database"]["urls"] = {part: _hidden(url) for part, url in data["database"]["urls"].items()}
    if as_json:
        print_json(data)
        return
    import sys

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(data, sys.stdout)


def _hidden(url: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)

"""``jupytercloud stack``: a Docker Swarm stack for one site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from ..contracts.text import Text
from ..settings.problems import rule_of
from .common import USAGE, fail, json_option, print_json, say


@click.group("stack")
def command() -> None:
    """Write a Docker Swarm stack that is deployed with one command."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--site", required=True, help="Short name of the site, such as grenoble.")
@click.option(
    "--role",
    type=click.Choice(["site", "portal"]),
    default="site",
    show_default=True,
    help="A site starts servers; a portal sends people to the sites.",
)
@click.option("--url", required=True, help="Public address of the hub, such as https://grenoble.example.fr/.")
@click.option("--issuer", required=True, help="Issuer of the OpenID provider.")
@click.option("--client-id", default="", help="The hub's name at the provider [default: the site's name].")
@click.option("--organization", default="example.fr", show_default=True, help="Home organization that comes in.")
@click.option("--contact", default="", help="E-mail address for people and for certificates [default: support@HOST].")
@click.option("--portal", help="Address of the federation's portal, if the site belongs to one.")
@click.option("--registry", help="Where the images are: registry.example.fr/group.")
@click.option(
    "--certificate",
    type=click.Choice(["letsencrypt", "own"]),
    default="letsencrypt",
    show_default=True,
    help="Traefik asks Let's Encrypt, or you bring your institution's certificate and key.",
)
@click.option("--acme-server", default="", help="Directory of another authority that speaks ACME.")
@json_option
def init(folder: Path, as_json: bool, **given: str | None) -> None:
    """Write DIR filled in, with new secrets that only you can read. Overwrites nothing.

    \b
    Example:
      jupytercloud stack init grenoble --site grenoble --url https://grenoble.example.fr/ \\
        --issuer https://login.example.fr --organization univ-grenoble-alpes.fr
      grenoble/deploy.sh
      jupytercloud stack init portal --role portal --site portal --url https://portal.example.fr/ \\
        --issuer https://login.example.fr
    """
    from ..deploy.stack import Stack, existing, new_secrets, render, write

    try:
        stack = Stack.model_validate({name: value for name, value in given.items() if value})
        texts = render(stack)
    except ValidationError as error:
        fail("\n".join(_problem(dict(detail)) for detail in error.errors()), USAGE)
    except ValueError as error:
        rule = error.args[0]
        fail(f"--issuer: {say(rule) if isinstance(rule, Text) else rule}", USAGE)
    there = ", ".join(str(path) for path in existing(folder))
    if there:
        fail(Text("nothing is overwritten, and these are there: {files}", files=there))
    write(folder, texts, new_secrets(stack))
    needed = [str(folder / "secrets" / name) for name in stack.given]
    if as_json:
        print_json({"folder": str(folder), "files": sorted(texts), "needed": needed})
        return
    click.echo(say(Text("{folder} is written.", folder=str(folder))))
    click.echo(say(Text("Next: put the provider's secret into {file}, then look at {settings}.", **_next(folder))))
    if stack.certificate == "own":
        click.echo(say(Text("Your certificate with its chain, and its key: {files}", files=", ".join(needed[1:]))))
    click.echo(say(Text("Then, on a manager of the Swarm: {command}", command=str(folder / "deploy.sh"))))


def _problem(detail: dict[str, Any]) -> str:
    """Return the option, where one alone is wrong, and its rule."""
    option = "".join(f"--{str(place).replace('_', '-')}: " for place in detail["loc"][:1])
    return f"{option}{say(rule_of(detail))}"


def _next(folder: Path) -> dict[str, str]:
    return {"file": str(folder / "secrets" / "client_secret"), "settings": str(folder / "jupytercloud.yaml")}

"""``jupytercloud profiles``: what people can start here, and what of it this site cannot give."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click

from ..contracts.text import Text
from ..profiles.catalogue import Catalogue, Profile
from ..profiles.resources import Capabilities
from ..settings import Settings
from .common import USAGE, WRONG, config_option, fail, json_option, language, load_or_fail, print_json, print_table, say


@click.group()
def command() -> None:
    """What people can start."""


@command.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """List the catalogue; exit code 1 where a profile asks for what the site never has.

    \b
    Example:
      jupytercloud profiles list --config jupytercloud.yaml
    """
    settings = load_or_fail(config)
    capabilities = _capabilities(settings)
    catalogue = Catalogue(settings.profiles)
    if as_json:
        print_json([_summary(profile, capabilities) for profile in catalogue])
    elif len(catalogue) == 0:
        click.echo(say(Text("This hub has no profiles.")))
    else:
        heads = [say(Text("name")), say(Text("title")), say(Text("resources")), say(Text("for")), ""]
        print_table(heads, [_row(profile, capabilities) for profile in catalogue])
    if any(_shortage(profile, capabilities) for profile in catalogue):
        raise SystemExit(WRONG)


@command.command()
@click.argument("name")
@config_option
@json_option
def show(name: str, config: Path, as_json: bool) -> None:
    """Show the profile NAME as it is in force: `extends` applied, defaults filled in.

    \b
    Example:
      jupytercloud profiles show pycoa
    """
    settings = load_or_fail(config)
    catalogue = Catalogue(settings.profiles)
    profile = catalogue.get(name)
    if profile is None:
        near = difflib.get_close_matches(name, [known.name for known in catalogue], n=1)
        unknown = Text("There is no profile {name}.", name=name)
        fail(Text("{unknown} Did you mean {near}?", unknown=unknown, near=near[0]) if near else unknown, USAGE)
    data = {**profile.model_dump(mode="json", exclude_none=True), **_offered(profile, _capabilities(settings))}
    if as_json:
        print_json(data)
        return
    import sys

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump({key: value for key, value in data.items() if value not in ({}, [], False)}, sys.stdout)


def _capabilities(settings: Settings) -> Capabilities:
    if settings.spawner is None:
        return Capabilities(site=settings.site.name)
    return settings.spawner.capabilities(settings.site.name)


def _shortage(profile: Profile, capabilities: Capabilities) -> Text | None:
    return capabilities.shortage(profile.resources, profile.node_class)


def _offered(profile: Profile, capabilities: Capabilities) -> dict[str, Any]:
    shortage = _shortage(profile, capabilities)
    return {"available": shortage is None, **({"reason": say(shortage)} if shortage else {})}


def _summary(profile: Profile, capabilities: Capabilities) -> dict[str, Any]:
    return {
        "name": profile.name,
        "title": profile.title.dump(),
        "resources": profile.resources.counted().model_dump(mode="json"),
        "limits": capabilities.limits,
        "access": [rule.model_dump(mode="json", exclude_defaults=True) for rule in profile.access],
        **_offered(profile, capabilities),
    }


def _row(profile: Profile, capabilities: Capabilities) -> list[str]:
    shortage = _shortage(profile, capabilities)
    return [
        profile.name,
        profile.title.in_(language()),
        ", ".join(say(fact) for fact in profile.resources.facts()),
        _audience(profile),
        say(shortage) if shortage else "",
    ]


def _audience(profile: Profile) -> str:
    if not profile.access:
        return say(Text("everybody"))
    kinds = ("groups", "affiliations", "organizations", "sites", "users")
    rules = [
        " + ".join(", ".join(getattr(rule, kind)) for kind in kinds if getattr(rule, kind)) for rule in profile.access
    ]
    return " | ".join(rules)

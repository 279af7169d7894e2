"""``jupytercloud identity``: who a set of claims is, and why she is let in or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..contracts.text import Text
from ..identity import Decision, Policy, decide
from ..settings import Settings
from .common import USAGE, WRONG, config_option, fail, json_option, load_or_fail, print_json, say


@click.group()
def command() -> None:
    """Who is let in, and why."""


@command.command()
@click.argument("claims", type=click.File("r", encoding="utf-8"))
@config_option
@click.option("--acr", help="How she logged in (the ID token's acr); by default the claim of that name.")
@json_option
def check(claims: Any, config: Path, acr: str | None, as_json: bool) -> None:
    """Say who the CLAIMS (a JSON file, or - for standard input) are, and why they are let in or not.

    Exit code 1 when they are not let in. Nothing is asked of the provider.

    \b
    Examples:
      jupytercloud identity check claims.json
      echo '{"sub": "x", "schac_home_organization": "univ.fr"}' | jupytercloud identity check - --json
    """
    settings = load_or_fail(config)
    decision = decide_with(settings, read_claims(claims), acr)
    if as_json:
        print_json(_as_json(decision))
    else:
        _print(decision)
    if decision.refused is not None:
        raise SystemExit(WRONG)


def read_claims(stream: Any) -> dict[str, Any]:
    """Return the JSON object of a file; ends the command with code 2 for anything else."""
    try:
        value = json.load(stream)
    except ValueError as error:
        fail(Text("{file} is not JSON: {error}", file=stream.name, error=str(error)), USAGE)
    if not isinstance(value, dict):
        fail(Text("{file} holds no JSON object of claims", file=stream.name), USAGE)
    return value


def decide_with(settings: Settings, claims: dict[str, Any], acr: str | None = None) -> Decision:
    """Return what the rules of a configuration file make of claims; ends the command where it has no rules."""
    auth = settings.auth
    if auth is None:
        fail(Text("{file} has no section auth", file=str(settings.file)), USAGE)
    policy = Policy(
        preset=auth.preset,
        institutions=settings.institutions,
        claims=auth.claims,
        username=auth.username,
        person=auth.person,
        groups=auth.groups,
    )
    said = claims.get("acr")
    return decide(claims, auth.issuer, policy, acr=acr or (said if isinstance(said, str) else None))


def _as_json(decision: Decision) -> dict[str, Any]:
    refused = decision.refused
    return {
        "let_in": refused is None,
        "identity": decision.identity.model_dump(mode="json") if decision.identity else None,
        "refused": None
        if refused is None
        else {
            "reason": refused.reason,
            "attribute": refused.attribute,
            "organization": refused.organization,
            "contact": refused.contact,
            "message": say(refused.message),
            "remedy": say(refused.remedy),
        },
        "steps": [say(step) for step in decision.steps],
    }


def _print(decision: Decision) -> None:
    for number, step in enumerate(decision.steps, start=1):
        click.echo(f"{number}. {say(step)}")
    if decision.refused is not None:
        click.echo(
            say(Text("Not let in: {reason}. {remedy}", reason=decision.refused.reason, remedy=decision.refused.remedy))
        )
    elif decision.identity is not None:
        click.echo(say(Text("Let in as {username}.", username=decision.identity.username)))

"""``jupytercloud identity``: who a set of claims is, why she is let in or not, and whose username is whose."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..auth.breakglass import hash_password
from ..auth.store import Store
from ..contracts.text import Text
from ..identity import Decision, Policy, Subject, decide
from ..identity.claims import scoped
from ..settings import Settings
from ..storage import Database
from .common import USAGE, WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table, say
from .guests import COMMANDS as GUEST_COMMANDS

T = TypeVar("T")
SHORTEST_PASSWORD = 16
IMPORTED_KINDS = ("eppn", "unique_id", "voperson_id", "subject")


@dataclass(frozen=True)
class Account:
    """An account of a hub that exists already, and by what its owner will be recognised."""

    username: str
    kind: str
    value: str

    @property
    def key(self) -> tuple[str, str]:
        """The identifier as a login has it: ePPN and unique id do not know capitals."""
        return self.kind, self.value.lower() if self.kind in ("eppn", "unique_id") else self.value


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
        roles=auth.roles,
        roles_from=auth.roles_from,
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


@command.command("break-glass")
@click.password_option("--password", help="The emergency password; asked for where it is not given.")
def break_glass(password: str) -> None:
    """Print what stands in the configuration for the emergency login's password.

    \b
    Example:
      jupytercloud identity break-glass > secrets/break-glass
      # jupytercloud.yaml: auth: {break_glass: {user: admin, password: {file: secrets/break-glass}}}
    """
    if len(password) < SHORTEST_PASSWORD:
        fail(Text("an emergency password needs {count} characters", count=SHORTEST_PASSWORD), USAGE)
    click.echo(hash_password(password))


@command.command()
@click.argument("username", required=False)
@config_option
@json_option
def bindings(username: str | None, config: Path, as_json: bool) -> None:
    """Show whose username is whose, and the accounts that wait for their owner.

    \b
    Examples:
      jupytercloud identity bindings
      jupytercloud identity bindings anna@univ.fr --json
    """
    bound, waiting = asyncio.run(_with_store(load_or_fail(config), lambda store: _listed(store, username)))
    if as_json:
        rows = [{name: getattr(row, name) for name in ("username", "issuer", "sub", "organization")} for row in bound]
        print_json({"bound": rows, "waiting": [_claimable(row) for row in waiting]})
    else:
        heads = ("USERNAME", "ISSUER", "SUB", "ORGANIZATION", "LAST LOGIN")
        print_table(
            heads, [(b.username, b.issuer, b.sub, b.organization or "", f"{b.seen_at:%Y-%m-%d}") for b in bound]
        )
        for row in waiting:
            click.echo(say(Text("{username} waits for {kind} {value}", **_claimable(row))))
    if username is not None and not bound and not waiting:
        raise SystemExit(WRONG)


@command.command()
@click.argument("username")
@click.option("--subject", nargs=2, metavar="ISSUER SUB", help="Give the username to this subject.")
@click.option("--release", is_flag=True, help="Give it to whoever logs in next and is led to it.")
@config_option
def rebind(username: str, subject: tuple[str, str] | None, release: bool, config: Path) -> None:
    """Give USERNAME, with its files, to another subject: after an organization gave a person a new identity.

    Sessions of the one who had it end at the next look at her rights.

    \b
    Examples:
      jupytercloud identity rebind anna@univ.fr --subject https://proxy.example 4f2a
      jupytercloud identity rebind anna@univ.fr --release
    """
    if release == (subject is not None):
        fail(Text("say either --subject ISSUER SUB or --release"), USAGE)
    new = Subject(issuer=subject[0], sub=subject[1]) if subject else None
    if not asyncio.run(_with_store(load_or_fail(config), lambda store: store.rebind(username, new))):
        fail(Text("{username} is bound to nobody", username=username))
    click.echo(
        say(
            Text("{username} is released", username=username)
            if new is None
            else Text("{username} is bound anew", username=username)
        )
    )


@command.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@config_option
@json_option
def import_(file: Any, dry_run: bool, config: Path, as_json: bool) -> None:
    """Keep the accounts of a hub that exists already for their owners' first federated login.

    FILE is CSV with a header: ``username`` and ``identifier``, and optionally ``kind`` (eppn, unique_id,
    voperson_id or subject, the latter as issuer#sub; eppn where it is left out). Lines that cannot be right stop
    the whole import.

    \b
    Example:
      username,kind,identifier
      adupont,eppn,anne.dupont@univ.fr
      jupytercloud identity import accounts.csv --dry-run
    """
    accounts, problems = read_accounts(file)
    if not problems:
        work = asyncio.run(_with_store(load_or_fail(config), lambda store: _import(store, accounts, dry_run)))
        done, problems = work
    if as_json:
        print_json(
            {
                "imported": [] if problems else done,
                "problems": [say(problem) for problem in problems],
                "dry_run": dry_run,
            }
        )
    else:
        for problem in problems:
            click.echo(say(problem), err=True)
        if not problems:
            waiting = Text("{count} accounts wait for their owners", count=len(done))
            would_wait = Text("{count} accounts would wait for their owners", count=len(done))
            click.echo(say(would_wait if dry_run else waiting))
    if problems:
        raise SystemExit(WRONG)


def read_accounts(file: Any) -> tuple[list[Account], list[Text]]:
    """Read the CSV of `import`: accounts, and what is wrong with its lines."""
    reader = csv.DictReader(file)
    accounts: list[Account] = []
    problems: list[Text] = []
    if not {"username", "identifier"} <= set(reader.fieldnames or ()):
        return [], [Text("the first line has to name the columns username and identifier")]
    for line, row in enumerate(reader, start=2):
        username, kind, value = ((row.get(name) or "").strip() for name in ("username", "kind", "identifier"))
        account = Account(username, kind or "eppn", value)
        if account.kind not in IMPORTED_KINDS:
            kinds = ", ".join(IMPORTED_KINDS)
            unknown = Text("line {line}: the kind {kind} is not one of {kinds}", line=line, kind=kind, kinds=kinds)
            problems.append(unknown)
        elif not account.username or not account.value:
            problems.append(Text("line {line}: username or identifier is empty", line=line))
        elif account.kind in ("eppn", "unique_id") and scoped(account.value) is None:
            problems.append(Text("line {line}: {value} is not of the form name@organization", line=line, value=value))
        elif any(account.username == one.username or account.key == one.key for one in accounts):
            problems.append(Text("line {line}: this username or identifier stands in the file twice", line=line))
        else:
            accounts.append(account)
    return accounts, problems


async def _import(store: Store, accounts: list[Account], dry_run: bool) -> tuple[list[str], list[Text]]:
    bound = {binding.username for binding in await store.bindings()}
    taken = {(row.kind, row.value): row.username for row in await store.claimables()}
    problems = [
        Text("{username} belongs to somebody already", username=one.username)
        for one in accounts
        if one.username in bound
    ]
    problems += [
        Text("{value} waits for {username} already", value=one.value, username=taken[one.key])
        for one in accounts
        if taken.get(one.key, one.username) != one.username
    ]
    if not problems and not dry_run:
        for one in accounts:
            await store.keep(one.username, one.kind, one.key[1])  # type: ignore[arg-type]
    return [one.username for one in accounts], problems


async def _listed(store: Store, username: str | None) -> tuple[list[Any], list[Any]]:
    waiting = [row for row in await store.claimables() if username in (None, row.username)]
    return await store.bindings(username), waiting


def _claimable(row: Any) -> dict[str, str]:
    return {"username": row.username, "kind": row.kind, "value": row.value}


async def _with_store(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    database = Database(settings.database_url("auth"), "auth")
    try:
        await database.upgrade()
        return await work(Store(database))
    finally:
        await database.close()


for _one in GUEST_COMMANDS:
    command.add_command(_one)

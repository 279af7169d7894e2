"""``jupytercloud identity invite|guests|revoke|emergency-logins``: who came in otherwise than by the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from ..auth.guest_store import GuestStore
from ..auth.store import Store
from ..auth.tables import Guest
from ..contracts.text import Text
from ..settings import Settings
from ..settings.auth import GuestSettings
from ..storage import Database
from .common import USAGE, WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table, say

T = TypeVar("T")
MAX_NOTE = 200  # characters
LAST_SECOND = time(23, 59, 59)  # of the day that was named


@click.command()
@click.option("--sponsor", required=True, help="Username of the person who answers for the guest.")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Last day of the account.")
@click.option("--group", "groups", multiple=True, help="A group for the guest, besides the one of all guests.")
@click.option("--note", default="", help="For whom and for what; only those who list guests see it.")
@config_option
@json_option
def invite(sponsor: str, until: datetime, groups: tuple[str, ...], note: str, config: Path, as_json: bool) -> None:
    """Print a link by which one person, once, becomes a guest of this hub.

    The link is the invitation: whoever has it first and logs in takes it. It is shown now and never again.

    \b
    Examples:
      jupytercloud identity invite --sponsor anna@univ.fr --until 2027-01-31 --note "summer school"
      jupytercloud identity invite --sponsor anna@univ.fr --until 2027-01-31 --group physique --json
    """
    settings = load_or_fail(config)
    rules = _rules(settings)
    last = datetime.combine(until.date(), LAST_SECOND, settings.site.zone).astimezone(UTC)
    now = datetime.now(UTC)
    if last <= now:
        fail(Text("{day} has gone by", day=str(until.date())), USAGE)
    if last > now + rules.longest + timedelta(days=1):
        fail(Text("a guest's account lasts {days} days at most (auth.guests.longest)", days=rules.longest.days), USAGE)
    if len(note) > MAX_NOTE:
        fail(Text("a note has {count} characters at most", count=MAX_NOTE), USAGE)

    async def work(store: Store, guests: GuestStore) -> tuple[str, str] | None:
        if not await store.bindings(sponsor):
            return None
        return await guests.invite(sponsor, last, rules.open_for, note=note, groups=groups)

    made = asyncio.run(_with_stores(settings, work))
    if made is None:
        fail(Text("{sponsor} never logged in here, and cannot answer for a guest", sponsor=sponsor), WRONG)
    identifier, token = made
    link = f"{settings.site.url}hub/oidc/invitation?token={token}"
    if as_json:
        open_until = min(now + rules.open_for, last)
        print_json({"id": identifier, "link": link, "open_until": _plain(open_until), "ends_at": _plain(last)})
    else:
        click.echo(link)


@click.command("guests")
@config_option
@json_option
def list_guests(config: Path, as_json: bool) -> None:
    """List invitations and guests: who invited whom, until when, and what became of it.

    \b
    Example:
      jupytercloud identity guests --json
    """
    now = datetime.now(UTC)
    found = asyncio.run(_with_stores(load_or_fail(config), lambda store, guests: guests.guests()))
    if as_json:
        print_json([{**_row(one), "state": state(one, now)} for one in found])
        return
    print_table(
        ("ID", "STATE", "SPONSOR", "GUEST", "UNTIL", "NOTE"),
        [
            (one.id, state(one, now), one.sponsor, one.username or "", f"{one.ends_at:%Y-%m-%d}", one.note)
            for one in found
        ],
    )


@click.command()
@click.argument("identifier", metavar="ID")
@config_option
def revoke(identifier: str, config: Path) -> None:
    """Withdraw the invitation ID, or end its guest's account: at the hub's next look, sessions and tokens end.

    \b
    Example:
      jupytercloud identity revoke 1f0c22aa
    """
    if not asyncio.run(_with_stores(load_or_fail(config), lambda store, guests: guests.revoke(identifier))):
        fail(Text("there is no invitation {id}, or it was withdrawn already", id=identifier))
    click.echo(say(Text("the invitation {id} is withdrawn", id=identifier)))


@click.command("emergency-logins")
@config_option
@json_option
def emergency_logins(config: Path, as_json: bool) -> None:
    """List every try of the emergency login: when, why, with what outcome. ADDRESS is a keyed hash.

    \b
    Example:
      jupytercloud identity emergency-logins
    """
    found = asyncio.run(_with_stores(load_or_fail(config), lambda store, guests: guests.emergencies()))
    if as_json:
        names = ("at", "username", "address", "reason", "outcome")
        print_json([{name: _plain(getattr(one, name)) for name in names} for one in found])
        return
    print_table(
        ("WHEN (UTC)", "USERNAME", "OUTCOME", "REASON", "ADDRESS"),
        [(f"{one.at:%Y-%m-%d %H:%M:%S}", one.username, one.outcome, one.reason, one.address[:12]) for one in found],
    )


def state(guest: Guest, now: datetime) -> str:
    """Return what became of an invitation, in a word."""
    if guest.revoked_at is not None:
        return "revoked"
    if guest.ends_at <= now:
        return "ended"
    if guest.accepted_at is not None:
        return "guest"
    return "open" if guest.open_until > now else "expired"


def _row(guest: Guest) -> dict[str, Any]:
    names = ("id", "sponsor", "note", "groups", "username", "made_at", "open_until", "ends_at")
    more = ("accepted_at", "revoked_at", "ended_at")
    return {name: _plain(getattr(guest, name)) for name in (*names, *more)}


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


def _rules(settings: Settings) -> GuestSettings:
    if settings.auth is None or settings.auth.guests is None:
        fail(Text("{file} lets no guests in: auth.guests is not set", file=str(settings.file)), USAGE)
    return settings.auth.guests


async def _with_stores(settings: Settings, work: Callable[[Store, GuestStore], Awaitable[T]]) -> T:
    database = Database(settings.database_url("auth"), "auth")
    try:
        await database.upgrade()
        return await work(Store(database), GuestStore(database))
    finally:
        await database.close()


COMMANDS = (invite, list_guests, revoke, emergency_logins)

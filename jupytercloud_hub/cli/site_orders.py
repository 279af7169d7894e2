"""``jupytercloud sites drain|maintenance|resume|audit``: letting nobody new in, for a while.

At the portal the commands write into its database, and the service that runs follows within seconds; on a site's
machine they tell the site's agent, by a file that its next heartbeat reads.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.heartbeat import Notice
from ..contracts.text import Localized, Text
from ..contracts.units import parse_duration
from ..federation import registry
from ..federation.agent import Notices, read_notices, write_notices
from ..federation.health import Order
from ..federation.model import SiteState
from ..settings import Settings
from .at_portal import member, note, now, portal, reason_option, who, with_database
from .common import USAGE, config_option, fail, json_option, load_or_fail, print_json, print_table

KINDS = {"drain": SiteState.DRAINING, "maintenance": SiteState.MAINTENANCE}
name_argument = click.argument("name", required=False, default="")


def _ordering(what: str) -> click.Command:
    """Return the command ``drain`` or ``maintenance``."""

    @name_argument
    @click.option("--message", default="", help="What people are told (French, or for everybody).")
    @click.option("--message-en", default="", help="The same in English.")
    @click.option("--for", "lasts", default="", help='Ends by itself after this time, such as "2 h".')
    @click.option("--until", default="", help="Ends by itself then, such as 2027-01-04T18:00, on the hub's clock.")
    @reason_option
    @config_option
    def run(name: str, message: str, message_en: str, lasts: str, until: str, reason: str, config: Path) -> None:
        settings = load_or_fail(config)
        notice = Notice(
            message=Localized({"fr": message or message_en, "en": message_en} if message_en else message)
            if message or message_en
            else None,
            until=_end(lasts, until, settings.site.zone),
        )
        order(settings, name, what, notice, reason)

    run.__doc__ = {
        "drain": """Let nobody new in: at the portal for the site NAME, on a site for itself.

        \b
        Examples:
          jupytercloud sites drain grenoble --for "3 h" --message "Climatisation en panne"
          jupytercloud sites drain --until 2027-01-04T18:00
        """,
        "maintenance": """Announce maintenance: at the portal for the site NAME, on a site for itself.

        \b
        Example:
          jupytercloud sites maintenance --for "2 h" --message "Mise à jour" --message-en "Upgrade"
        """,
    }[what]
    return click.command(what)(run)


@click.command()
@name_argument
@reason_option
@config_option
def resume(name: str, reason: str, config: Path) -> None:
    """End drain and maintenance: at the portal for the site NAME, on a site for itself.

    \b
    Example:
      jupytercloud sites resume grenoble
    """
    settings = load_or_fail(config)
    for what in KINDS:
        order(settings, name, what, None, reason)


@click.command()
@config_option
@json_option
def audit(config: Path, as_json: bool) -> None:
    """List who did what with sites and home sites, the newest first, at the portal.

    \b
    Example:
      jupytercloud sites audit --json
    """
    entries = with_database(portal(load_or_fail(config)), lambda session: registry.audit(session, limit=1000))
    if as_json:
        print_json([entry.__dict__ | {"at": entry.at.isoformat()} for entry in entries])
        return
    print_table(
        ("AT", "WHO", "WHAT", "TARGET", "WHY"),
        ((f"{e.at:%Y-%m-%d %H:%M:%S}", e.who, e.what, e.target, e.why) for e in entries),
    )


COMMANDS = (_ordering("drain"), _ordering("maintenance"), resume, audit)


def order(settings: Settings, name: str, what: str, notice: Notice | None, reason: str) -> None:
    """Order or end drain or maintenance, where this machine may."""
    if settings.site.role == "portal":
        _order_at_portal(settings, name, what, notice, reason)
        return
    member(settings)
    if name not in ("", settings.site.name):
        fail(Text("a site speaks for itself only: {name} is not {site}", name=name, site=settings.site.name), USAGE)
    present = read_notices(settings.state_folder)
    write_notices(settings.state_folder, Notices(**{**dict(present), what: notice}))


def _order_at_portal(settings: Settings, name: str, what: str, notice: Notice | None, reason: str) -> None:
    if not name:
        fail(Text("which site? The portal has several"), USAGE)

    async def work(session: AsyncSession) -> bool:
        sites = {site.name for site in await registry.sites(session)}
        if name not in sites | {site.name for site in (settings.federation.sites if settings.federation else ())}:
            return False
        if notice is None:
            if await registry.remove_order(session, name, KINDS[what]):
                await note(session, f"{what} end", name, reason)
        else:
            await registry.put_order(session, name, Order(KINDS[what], notice), now(), who())
            await note(session, f"{what} begin", name, reason)
        return True

    if not with_database(settings, work):
        fail(Text("No site is called {site}.", site=name))


def _end(lasts: str, until: str, zone: ZoneInfo) -> datetime | None:
    if lasts and until:
        fail(Text("--for and --until are not given both"), USAGE)
    try:
        if lasts:
            return now() + parse_duration(lasts)
        if until:
            moment = datetime.fromisoformat(until)
            return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError) as error:
        cause = error.args[0] if error.args else ""
        fail(cause if isinstance(cause, Text) else Text("a time such as 2027-01-04T18:00 is expected"), USAGE)
    return None

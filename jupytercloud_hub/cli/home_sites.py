"""``jupytercloud home-sites``: where people's files are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from ..contracts.text import Text
from ..federation import homes
from ..settings import Settings
from ..storage import Database
from .common import USAGE, config_option, fail, json_option, load_or_fail, print_json, print_table


@click.group()
def command() -> None:
    """List home sites. Run it where the portal's database is reached."""


@command.command("list")
@click.option("--site", default="", help="Only the people at home at this site.")
@config_option
@json_option
def list_(site: str, config: Path, as_json: bool) -> None:
    """List home sites with who set them, when and why.

    \b
    Examples:
      jupytercloud home-sites list
      jupytercloud home-sites list --site grenoble --json
    """
    rows = asyncio.run(_all(portal(load_or_fail(config)), site))
    if as_json:
        print_json(
            [
                {"user": row.username, "person": row.person, "site": row.site, "set_at": row.set_at.isoformat(),
                 "set_by": row.set_by, "reason": row.reason}
                for row in rows
            ]
        )  # fmt: skip
        return
    print_table(
        ("USER", "PERSON", "SITE", "SET AT", "BY", "REASON"),
        (
            (row.username or "—", row.person or "—", row.site, f"{row.set_at:%Y-%m-%d %H:%M}", row.set_by, row.reason)
            for row in rows
        ),
    )


def portal(settings: Settings) -> Settings:
    """Return the settings of a portal, or end the command."""
    if settings.site.role != "portal":
        fail(Text("home sites are kept at the portal, and this hub is none"), USAGE)
    return settings


async def _all(settings: Settings, site: str) -> list[homes.HomeSite]:
    database = Database(settings.database_url("federation"), "federation")
    await database.upgrade()
    found: list[homes.HomeSite] = []
    after: str | None = ""
    try:
        while after is not None:
            async with database.session() as session:
                rows, after = await homes.listed(session, site=site or None, after=after)
            found += rows
    finally:
        await database.close()
    return found

"""``jupytercloud home-sites``: where people's files are."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import replace
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.text import Text
from ..federation import homes, registry
from ..settings import Settings
from ..storage import Database
from .at_portal import note, now, portal, who, with_database
from .common import WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table, say


@click.group()
def command() -> None:
    """List, import and move home sites. Run it where the portal's database is reached."""


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


@command.command()
@click.argument("person")
@click.argument("site")
@click.option("--reason", required=True, help="Why; the person sees it on the portal's page.")
@config_option
def move(person: str, site: str, reason: str, config: Path) -> None:
    """Make SITE the home site of PERSON (her name at the portal, or her federation-wide identifier).

    Files are not moved: copy them first.

    \b
    Example:
      jupytercloud home-sites move marie.curie reims --reason "files copied on 3 March"
    """
    settings = portal(load_or_fail(config))

    async def work(session: AsyncSession) -> str:
        if not await _known(session, settings, site):
            return "site"
        found = await homes.get(session, username=person) or await homes.get(session, person=person)
        if found is None:
            return "person"
        moved = replace(found, site=site, set_by=who(), reason=reason)
        await homes.move(session, moved, now())
        await note(session, "home-site move", homes.key_of(found.person, found.username), f"{site}: {reason}")
        return ""

    missing = with_database(settings, work)
    if missing == "site":
        fail(Text("No site is called {site}.", site=site))
    if missing:
        fail(Text("{user} has no home site yet.", user=person))


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@config_option
def import_(file: Path, dry_run: bool, config: Path) -> None:
    """Import home sites of a site that joins with people: CSV with the columns person or user, and site.

    A home site that is already there is left alone, and told. With a mistake in the file nothing is imported.

    \b
    Example:
      jupytercloud home-sites import reims.csv --dry-run
    """
    settings = portal(load_or_fail(config))
    rows, problems = read_csv(file)

    async def work(session: AsyncSession) -> tuple[int, list[str], list[str]]:
        names = {site for _, _, _, site in rows}
        unknown = [site for site in sorted(names) if not await _known(session, settings, site)]
        added, kept = 0, []
        if not unknown and not problems:
            for line, person, user, site in rows:
                present = await homes.get(session, person=person or None, username=user or None)
                if present is not None:
                    if present.site != site:
                        kept.append(f"{file}:{line}: {person or user}: {present.site}")
                    continue
                added += 1
                if not dry_run:
                    home = homes.HomeSite(person or None, user or None, site, now(), who(), f"import {file.name}")
                    await homes.move(session, home, now())
            if not dry_run:
                await note(session, "home-site import", file.name, f"{added} new, {len(kept)} left")
        return added, kept, unknown

    added, kept, unknown = with_database(settings, work)
    for line in problems:
        click.echo(line, err=True)
    for site in unknown:
        click.echo(say(Text("No site is called {site}.", site=site)), err=True)
    if problems or unknown:
        raise SystemExit(WRONG)
    for line in kept:
        click.echo(say(Text("{line} is kept", line=line)), err=True)
    click.echo(say(Text("{added} new, {kept} at home elsewhere and left there", added=added, kept=len(kept))))


Row = tuple[int, str, str, str]


def read_csv(file: Path) -> tuple[list[Row], list[str]]:
    """Return (line, person, user, site) of each row, and what is wrong with the file."""
    rows: list[Row] = []
    problems: list[str] = []
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        columns = set(reader.fieldnames or ())
        if "site" not in columns or not columns & {"person", "user"}:
            return [], [f"{file}:1: " + say(Text("the columns person or user, and site, are expected"))]
        for row in reader:
            person, user, site = ((row.get(name) or "").strip() for name in ("person", "user", "site"))
            if not site or not (person or user):
                problems.append(f"{file}:{reader.line_num}: " + say(Text("a person or a user, and a site, are needed")))
            else:
                rows.append((reader.line_num, person, user, site))
    return rows, problems


async def _known(session: AsyncSession, settings: Settings, site: str) -> bool:
    listed = {one.name for one in (settings.federation.sites if settings.federation else ())}
    return site in listed | {one.name for one in await registry.sites(session)}


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

"""The database of each part that the hub has: there, at the newest version, and one that takes writes."""

from __future__ import annotations

import asyncio

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...settings import Settings
from ...settings.configure.names import services
from ...storage import database
from .look import Look

AREA = "database"
_PART_OF = {"federation": "federation", "culler": "culling", "quotas": "quotas", "events": "events"}


def parts(settings: Settings) -> list[str]:
    """Return the parts of this hub that keep something in a database."""
    found = [_PART_OF[name] for name in services(settings) if name in _PART_OF]
    logins = settings.auth is not None and settings.event is None  # an event does not write down whose login it was
    return [*(["auth"] if logins else []), *found]


async def look(at: Look) -> list[Finding]:
    """Return what is found about each part's database; those at one address that fails are told once."""
    by_url: dict[str, list[str]] = {}
    for part in parts(at.settings):
        try:
            by_url.setdefault(at.settings.database_url(part), []).append(part)
        except OSError as error:
            what = Text("the password of the database can't be read: {error}", error=str(error))
            return [Finding(AREA, "error", what, Text("Correct database.password: the file that holds it."))]
    rows = await asyncio.gather(*(asyncio.to_thread(_one, at.settings, url, names) for url, names in by_url.items()))
    return [finding for row in rows for finding in row]


def _one(settings: Settings, url: str, names: list[str]) -> list[Finding]:
    shown = make_url(url).render_as_string(hide_password=True)
    together = ", ".join(names)
    try:
        states = {part: database.state(url, part) for part in names}
        if "current" in states.values() and (error := _read_only(url)):
            what = Text("{database} takes no writes: {error}", database=shown, error=error)
            mend = Text("Give the hub's account the right to write there; is the disk full, or the server a standby?")
            return [Finding(AREA, "error", what, mend, Text("logins, quotas and warnings can't be kept"))]
    except (SQLAlchemyError, ArgumentError, ImportError) as error:
        said = database.short(error) if isinstance(error, SQLAlchemyError) else str(error)
        what = Text("{database} can't be reached for {parts}: {error}", database=shown, parts=together, error=said)
        mend = Text("Start the database, or correct database.url in {file}.", file=str(settings.file))
        return [Finding(AREA, "error", what, mend, Text("the services that need it do not start"))]
    found = [_state(settings, part, state, shown) for part, state in states.items() if state != "current"]
    good = ", ".join(part for part, state in states.items() if state == "current")
    if good:
        what = Text("{parts}: at the newest version and writable ({database})", parts=good, database=shown)
        found.append(Finding(AREA, "ok", what))
    return found


def _state(settings: Settings, part: str, state: database.State, shown: str) -> Finding:
    if part == "auth" and state == "absent":  # the authenticator makes its tables when it first needs them
        return Finding(
            AREA, "ok", Text("{part}: the first login makes its tables in {database}", part=part, database=shown)
        )
    upgrade = Text("jupytercloud db upgrade --config {file}", file=str(settings.file))
    if state == "newer":
        what = Text("{part}: a newer version of this software has upgraded {database}", part=part, database=shown)
        return Finding(AREA, "error", what, Text("Install that version again: there is no way back for tables."))
    if state == "old":
        what = Text("{part}: the tables in {database} are of an older version", part=part, database=shown)
    else:
        what = Text("{part}: there are no tables in {database} yet", part=part, database=shown)
    return Finding(
        AREA,
        "error",
        what,
        upgrade,
        Text("services upgrade them when they start: none of this version has started yet"),
    )


def _read_only(url: str) -> str:
    """Return why nothing can be written, empty where it can: a write is begun and taken back."""
    try:
        database.try_writing(url)
    except DBAPIError as error:
        return database.short(error)
    return ""

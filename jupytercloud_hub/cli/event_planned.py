"""What ``jupytercloud event create`` was asked for, read and judged: an event, and the reasons why it can't work."""

from __future__ import annotations

import os
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click
from pydantic import ValidationError

from ..contracts.loopback import LOOPBACK
from ..contracts.text import Localized, Text
from ..contracts.units import parse_bytes
from ..deploy.stack import Stack
from ..profiles.catalogue import Catalogue
from ..settings import Settings
from .common import USAGE, fail, say
from .event_pycoa import BUTTONS, PYCOA, own

LOCAL_PORT = 8200
_REGISTRY, _VERSION = (Stack.model_fields[field].default for field in ("registry", "version"))
HUB_IMAGES = {
    "local": "",
    "swarm": f"{_REGISTRY}/hub:{_VERSION}",
    "kubernetes": f"{_REGISTRY}/hub-kubernetes:{_VERSION}",
}
"""The images of ``images/hub``, as a site's stack and its values name them."""


def planned(given: dict[str, Any], lender: Settings | None) -> tuple[Any, list[Text]]:
    """Return the event and the reasons for which it can't work; mistakes of the command end it."""
    from ..events.create import Event
    from ..events.plan import Facts, refusals
    from ..settings.event import DayHours, EventSettings
    from ..settings.site import SiteSettings

    zone = lender.site.zone if lender else ZoneInfo("Europe/Paris")
    hours = _hours(given["hours"])
    opens, closes = _moment(given["begins"], zone, hours, 0), _moment(given["ends"], zone, hours, 1)
    codes = 0 if given["open_code"] else given["codes"] or given["seats"]
    url = given["url"] or f"http://127.0.0.1:{LOCAL_PORT}/{given['name']}/"
    title = given["title"] or given["name"]
    sections, catalogue = _lent(given, lender) if lender else own(given["folder"] or given["name"])
    buttons = given["buttons"] or (BUTTONS if not lender or _is_pycoa(sections) else "")
    try:
        site = SiteSettings(
            name=given["name"], role="event", title=Localized(title), url=url, timezone=zone.key,
            contact=given["contact"] or (lender.site.contact if lender else ""),
        )  # fmt: skip
        settings = EventSettings.model_validate(
            {
                "opens": opens,
                "closes": closes,
                "hours": DayHours(from_hour=hours[0], to_hour=hours[1]) if hours else None,
                "seats": given["seats"],
                "profile": given["profile"],
                "warm": min(given["seats"], given["warm"] if given["warm"] is not None else -(-given["seats"] // 5)),
                "code_key": {"file": "code.key"},
                "open_code_cap": given["seats"] if given["open_code"] else 0,
                "fictitious_data": given["fictitious_data"],
                "buttons": buttons,
                "first_view": given["first_view"] or ("device" if buttons else "profile"),
            }
        )
    except ValidationError as error:
        _usage(error)
    host = urlsplit(url).hostname or ""
    facts = Facts(
        now=datetime.now(UTC),
        zone=zone,
        memory=parse_bytes(given["memory"]) if given["memory"] else _memory() if given["backend"] == "local" else None,
        backend=given["backend"],
        lent_backend=lender.spawner.backend if lender and lender.spawner else "local",
        public=host not in LOOPBACK,
        fictitious_data_confirmed=given["fictitious_data"],
        made_up_profiles=frozenset() if lender else frozenset({PYCOA}),
    )
    port = (urlsplit(url).port or LOCAL_PORT) if given["backend"] == "local" else None
    kept = {key: str(value) for key, value in sorted(given.items()) if value not in (None, "", False, "as_json")}
    order = {**kept, "created": facts.now.isoformat(timespec="seconds")}
    image, certificate = given["image"] or HUB_IMAGES[given["backend"]], given["certificate"]
    event = Event(site, settings, codes, sections, port, order, given["backend"], image, certificate)
    return event, list(refusals(settings, codes, catalogue, facts))


def _is_pycoa(sections: dict[str, Any]) -> bool:
    """Say whether seats run our image of that name, which has the exercise by buttons in it."""
    image = str(sections["profiles"][0].get("image") or "")
    return image.rpartition("/")[2].partition(":")[0] == PYCOA


def _usage(error: ValidationError) -> Any:
    for problem in error.errors(include_url=False):
        said = problem.get("ctx", {}).get("error")
        text = said.args[0] if isinstance(said, ValueError) and said.args else problem["msg"]
        where = ".".join(str(part) for part in problem["loc"])
        click.echo(f"{where}: {say(text) if isinstance(text, Text) else text}", err=True)
    raise SystemExit(USAGE)


def _hours(value: str) -> tuple[time, time] | None:
    if not value:
        return None
    begins, _, ends = value.partition("-")
    try:
        return time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip())
    except ValueError:
        fail(Text("{value} is not a span of hours such as 10:00-19:00.", value=value), USAGE)


def _moment(value: str, zone: ZoneInfo, hours: tuple[time, time] | None, end: int) -> datetime:
    """Read a day (with the hours, else midnight to midnight) or an instant, in the zone where none is given."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        fail(Text("{value} is not a day or a time such as 2027-03-06 or 2027-03-06T10:00.", value=value), USAGE)
    if len(value) <= len("2027-03-06"):
        if hours:
            moment = datetime.combine(moment.date(), hours[end])
        elif end:
            moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _memory() -> int:
    """Return this machine's memory in bytes, or the share of it that a container may use."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        return machine
    return min(machine, limit)


def _lent(given: dict[str, Any], lender: Settings) -> tuple[dict[str, Any], Catalogue]:
    """Return the sections of the site's own file that the event needs."""
    from ..events import deployed

    catalogue = Catalogue(lender.profiles)
    found = catalogue.get(given["profile"])
    dumped = found.model_dump(mode="json", exclude_defaults=True, exclude={"extends", "access"}) if found else {}
    for file in dumped.get("files", ()):
        file["source"] = str(lender.folder / file["source"])
    spawner = lender.spawner.model_dump(mode="json", exclude_defaults=True) if lender.spawner else {}
    if given["backend"] != "local":
        spawner = deployed.spawner(spawner, given["backend"], given["name"])
    return {"spawner": spawner or {"backend": "local"}, "profiles": [{**dumped, "default": True}]}, catalogue

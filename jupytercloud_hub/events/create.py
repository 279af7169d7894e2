"""Writes an event's directory: configuration, codes, poster, sheets, announcement, checklist. Overwrites nothing."""

from __future__ import annotations

import csv
import io
import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime
from jinja2 import Environment, PackageLoader, StrictUndefined
from ruamel.yaml import YAML

from ..contracts.text import LANGUAGES, Language, Localized, Text
from ..settings.event import EventSettings
from ..settings.site import SiteSettings
from ..settings.spawner import SwarmHome
from ..web.i18n import render
from . import codes as pure
from . import deployed
from .codes import HASHED, HELPER, OPEN, ORGANIZER, PLAIN, VISITOR, Kind
from .hours import end_of, windows
from .printed import Printed, link, poster, sheets

KEY = "code.key"
HELPERS = 3


@dataclass(frozen=True, slots=True)
class Event:
    """What a directory is written from."""

    site: SiteSettings
    settings: EventSettings
    codes: int
    """Codes of visitors; 0 where one open code lets in everybody."""
    sections: Mapping[str, Any]
    """The sections ``spawner`` and ``profiles`` of the configuration."""
    local_port: int | None
    """First of three ports of this machine, for ``backend: local``."""
    order: Mapping[str, Any]
    """What was asked for, kept in ``event.yaml``."""
    backend: str = "local"
    """On ``swarm`` and ``kubernetes`` what deploys the hub is written too."""
    image: str = ""
    """Image of the hub, on an engine."""
    certificate: str = "letsencrypt"
    """Where a Swarm's Traefik has its certificate from: ``letsencrypt``, or ``own``."""


class ExistsError(Exception):
    """The directory holds something already; `text` says what."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


def write(event: Event, folder: Path) -> list[Path]:
    """Write everything into a new or empty directory; return the files. Raises `ExistsError`."""
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else [folder.name]
        raise ExistsError(
            Text(
                "{path} exists and holds {number} things, such as {first}; nothing was written: give another name, or "
                "remove it",
                path=str(folder), number=len(found), first=found[0],
            )
        )  # fmt: skip
    draft = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        _fill(event, draft, folder)
        if folder.exists():
            folder.rmdir()
        draft.replace(folder)  # whole or not at all
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sorted(folder.iterdir())


def _fill(event: Event, folder: Path, final: Path) -> None:
    made = _codes(event)
    key = secrets.token_bytes(32)
    _private(folder / KEY, key.hex() + "\n")
    _private(folder / PLAIN, _plain(event, made))
    (folder / HASHED).write_text("".join(f"{kind} {pure.digest(code, key)}\n" for kind, code in made))
    (folder / "event.yaml").write_text(_dump(dict(event.order)))
    _configuration(event, folder, final)
    if event.backend == "swarm":
        home = (event.sections["spawner"].get("swarm") or {}).get("home") or {}
        source = home.get("source") or SwarmHome().source
        site = event.site
        deployed.write_swarm(folder, site.name, site.url, site.contact, event.image, source, event.certificate)
    elif event.backend == "kubernetes":
        deployed.write_kubernetes(folder, event.site.name, event.site.url, event.image, event.settings.seats)
    _print(event.site, event.settings, made, folder)
    for language in LANGUAGES:
        (folder / f"announcement.{language}.txt").write_text(announcement(event, language))
        (folder / f"checklist.{language}.md").write_text(checklist(event, language))


def _codes(event: Event) -> list[tuple[Kind, str]]:
    wanted = [VISITOR] * event.codes + [OPEN] * bool(event.settings.open_code_cap) + [ORGANIZER] + [HELPER] * HELPERS
    return list(zip(wanted, pure.new_codes(len(wanted), secrets.choice), strict=True))


def _plain(event: Event, made: Sequence[tuple[Kind, str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["number", "kind", "code", "link"])
    for number, (kind, code) in enumerate(made, start=1):
        writer.writerow([number, kind, pure.shown(code), link(event.site.url, code)])
    return out.getvalue()


def _configuration(event: Event, folder: Path, final: Path) -> None:
    environment = Environment(
        loader=PackageLoader("jupytercloud_hub.events"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML and Python, and every text in them is quoted as JSON
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    site, settings = event.site, event.settings
    context = {
        "name": site.name,
        "title": _title(event).in_("fr").replace("\n", " "),
        "title_flow": json.dumps((site.title or Localized(site.name)).dump(), ensure_ascii=False),
        "url": site.url,
        "path": site.base_path,
        "contact": json.dumps(site.contact, ensure_ascii=False),
        "timezone": site.timezone,
        "opens": settings.opens.isoformat(),
        "closes": settings.closes.isoformat(),
        "hours": (f"{settings.hours.from_hour:%H:%M}", f"{settings.hours.to_hour:%H:%M}") if settings.hours else None,
        "seats": settings.seats,
        "profile": settings.profile,
        "warm": settings.warm,
        "open_code_cap": settings.open_code_cap,
        "fictitious_data": settings.fictitious_data,
        "buttons": settings.buttons,
        "first_view": settings.first_view,
        "notice": f"{round(settings.notice.total_seconds() / 60)} min",
        "sections": _dump(dict(event.sections)),
        "folder": str(final),
        "local": event.local_port is not None,
        "engine": deployed.context(event.backend) if event.backend != "local" else {},
        "port": event.local_port,
    }
    for name in ("jupytercloud.yaml", "jupyterhub_config.py"):
        (folder / name).write_text(environment.get_template(f"{name}.j2").render(**context))


def _title(event: Event) -> Localized:
    return event.site.title or Localized(event.site.name)


def print_again(site: SiteSettings, settings: EventSettings, folder: Path) -> list[Path]:
    """Write poster and code sheets of an event anew, as its settings are now; FileNotFoundError without codes."""
    with (folder / PLAIN).open(newline="") as file:
        made = [(row["kind"], row["code"].replace("-", "")) for row in csv.DictReader(file)]
    return _print(site, settings, made, folder)


def _print(site: SiteSettings, settings: EventSettings, made: Sequence[tuple[Kind, str]], folder: Path) -> list[Path]:
    days = Localized({language: _days(site, settings, language) for language in LANGUAGES})
    open_code = next((code for kind, code in made if kind == OPEN), None)
    about = Printed(site.title or Localized(site.name), site.url, days, open_code, settings.fictitious_data)
    written = [folder / "poster.pdf"]
    poster(about, written[0])
    visitors = [code for kind, code in made if kind == VISITOR]
    if visitors:
        written.append(folder / "codes.pdf")
        written[1].touch(mode=0o600)
        sheets(about, visitors, written[1])
    return written


def _days(site: SiteSettings, settings: EventSettings, language: Language) -> str:
    spans = windows(settings, site.zone)
    first, last = spans[0][0], spans[-1][1]
    hours = settings.hours
    begins, ends = (hours.from_hour, hours.to_hour) if hours else (first.timetz(), last.timetz())
    clock = f"{begins:%H:%M} – {ends:%H:%M}"
    if first.date() == last.date():
        return f"{format_date(first, 'd MMMM', locale=language)}, {clock}"
    if first.month == last.month and language == "fr":
        return f"{first.day} – {format_date(last, 'd MMMM', locale=language)}, {clock}"
    return f"{format_date(first, 'd MMM', locale=language)} – {format_date(last, 'd MMM', locale=language)}, {clock}"


def announcement(event: Event, language: Language) -> str:
    """Return the text for a web page or a letter."""
    about = [
        Text("{title}: {days}", title=_title(event), days=_days(event.site, event.settings, language)),
        Text("Play with data in your browser, on your own telephone or on ours. Nothing to install."),
        Text("You need a code from the stand; no name, no address, no account. {seats} people at a time.",
             seats=event.settings.seats),
        Text("Address: {url}", url=event.site.url),
        Text("What you made can be fetched with your code for {days} days afterwards; then everything is erased.",
             days=event.settings.links.days),
    ]  # fmt: skip
    if event.settings.fictitious_data:
        about.append(Text("The data shown are made up."))
    return "\n\n".join(render(text, language) for text in about) + "\n"


def checklist(event: Event, language: Language) -> str:
    """Return what is to be done, with dates."""
    settings, zone, name = event.settings, event.site.zone, event.site.name
    opens, over = windows(settings, zone)[0][0], end_of(settings, zone)
    purge = over + settings.links
    steps = [
        (opens - timedelta(days=14), Text("Print poster.pdf (A3) and codes.pdf (A4, cut along the lines).")),
        (opens - timedelta(days=7), Text("Announce it: announcement.fr.txt, announcement.en.txt.")),
        *((opens - timedelta(days=3), text) for text in deployed.before(event.backend, name, event.certificate)),
        *((opens - timedelta(days=2), text) for text in deployed.begin(event.backend, name)),
        (opens - timedelta(days=1), Text("Try the venue's Wi-Fi with the poster's QR code and one code of codes.csv.")),
        (opens - settings.warm_before, Text("Seats start by themselves; see: {command}",
                                            command=deployed.command(event.backend, name, "status"))),
        (opens, Text("Doors open. The board is at {url}", url=f"{event.site.url}services/events/")),
        (over - settings.notice, Text("Visitors are told on their screens that it ends.")),
        (over, Text("Servers stop; visitors' work can be fetched by code until {day}.",
                    day=_moment(purge, language))),
        (purge, Text("{command}; hand attestation.json to the data-protection officer.",
                     command=deployed.command(event.backend, name, "purge"))),
        *((purge, text) for text in deployed.after(event.backend, name)),
    ]  # fmt: skip
    lines = [f"# {_title(event).in_(language)}", ""]
    lines += [f"- [ ] {_moment(at, language)}: {render(text, language)}" for at, text in steps]
    return "\n".join(lines) + "\n"


def _moment(at: Any, language: Language) -> str:
    return str(format_datetime(at, "EEE d MMM y HH:mm", tzinfo=at.tzinfo, locale=language))


def _private(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content)


def _dump(value: Any) -> str:
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 110
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()

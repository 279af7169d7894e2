"""The organizers' board and report, and the visitor's page with its button for help."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import tempfile
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tornado.web import authenticated

from ..contracts.text import Text
from ..web.errors import forbidden
from ..web.handlers import PageHandler
from .authenticator import HELPERS, ORGANIZERS
from .report import report

if TYPE_CHECKING:
    from .service import EventsService

LOOK_SECONDS = 5
PIECE = 256 * 1024
"""Bytes that are in memory at once."""
LONGEST_MESSAGE = 300
HEADINGS = (
    Text("Quarter of an hour"),
    Text("Visitors"),
    Text("Servers that did not start"),
    Text("People turned away"),
    Text("Seconds to a server, half of all"),
    Text("Seconds to a server, 95 of 100"),
    Text("Hours used by visitors"),
    Text("Hours of all servers"),
)
"""Columns of the report as CSV, in the organizer's language."""
EXTENSION = timedelta(minutes=30)


class EventPage(PageHandler):
    """What the pages share: who runs the event, and who visits it."""

    @property
    def service(self) -> EventsService:
        return self.settings["service"]  # type: ignore[no-any-return]

    @property
    def organizes(self) -> bool:
        """Whether she decides: message, close, reset."""
        return ORGANIZERS in self.person.groups

    @property
    def helps(self) -> bool:
        """Whether she sees the board."""
        return self.organizes or HELPERS in self.person.groups

    def back(self) -> None:
        """Show the page again, as a GET."""
        self.redirect(self.service.context.prefix)


class BoardHandler(EventPage):
    """``/services/events/``: the board for who runs the event, a page with a button for a visitor.

    ``orders`` is the same with what organizers decide; it stays still while one types.
    """

    @authenticated
    async def get(self, orders: str | None = None) -> None:
        service = self.service
        message = await service.store.state("message")
        if not self.helps:
            seating = await service.store.seating(service.now())
            door = await service.keeper.standing()
            stuck = self.person.username in seating.stuck
            self.render_page("events/visitor.html", stuck=stuck, message=message, closes=door.closes,
                             buttons=bool(service.event.buttons), fictitious=service.event.fictitious_data)  # fmt: skip
            return
        still = bool(self.get_query_argument("still", ""))
        if not orders and not still:
            self.set_header("Refresh", f"{LOOK_SECONDS}; url={service.context.prefix}")
        figures = await service.keeper.figures()
        seating = await service.store.seating(service.now())
        known = report(await service.store.happenings(), service.settings.site.zone)
        self.render_page(
            "events/board.html", figures=figures, seating=seating, report=known, message=message,
            organizes=self.organizes, orders=bool(orders), load=os.getloadavg()[0],
            fictitious=service.event.fictitious_data, reloads=None if orders else service.context.prefix, still=still,
        )  # fmt: skip


class ActHandler(EventPage):
    """What buttons do."""

    @authenticated
    async def post(self, action: str) -> None:
        service, store = self.service, self.service.store
        seat = self.get_body_argument("seat", "")
        if action == "help":
            await store.seat(self.person.username, stuck_at=service.now())
        elif not self.helps or (action != "helped" and not self.organizes):
            raise forbidden()
        elif action == "helped":
            await store.seat(seat, stuck_at=None)
        elif action == "message":
            await store.set_state("message", self.get_body_argument("text", "").strip()[:LONGEST_MESSAGE] or None)
        elif action == "reset":
            every = self.get_body_argument("all", "")
            seating = await store.seating(service.now())
            await store.reset(seating.held if every else [seat])
        elif action == "extend":
            door = await service.keeper.standing()
            if door.closes is not None:
                await store.set_state("until", (door.closes + EXTENSION).isoformat())
        else:  # close: with the notice that visitors are promised
            await store.set_state("closed", (service.now() + service.event.notice).isoformat())
        self.back()


class ReportHandler(EventPage):
    """``report`` and ``report.csv``: the picture that organizers show afterwards."""

    @authenticated
    async def get(self, kind: str) -> None:
        if not self.helps:
            raise forbidden()
        service = self.service
        found = report(await service.store.happenings(), service.settings.site.zone)
        if not kind:
            most = max((quarter.entered for quarter in found.quarters), default=0)
            self.render_page("events/report.html", report=found, most=most)
            return
        out = io.StringIO("\ufeff")  # the mark by which spreadsheets know UTF-8
        out.seek(0, io.SEEK_END)
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([self.say(heading) for heading in HEADINGS])
        for quarter in found.quarters:
            begins = quarter.begins.isoformat(timespec="minutes")
            hours = (round(quarter.visitor_hours, 2), round(quarter.server_hours, 2))
            counts = (quarter.entered, quarter.failed, quarter.turned_away, quarter.p50, quarter.p95)
            writer.writerow([begins, *counts, *hours])
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{service.settings.site.name}.csv"')
        self.write(out.getvalue())


class WorkHandler(EventPage):
    """``work.zip``: what all visitors made until now, for organizers, before seats are made new between two classes."""

    @authenticated
    async def get(self) -> None:
        if not self.organizes:
            raise forbidden()
        service = self.service
        seating, servers = await service.store.seating(service.now()), await service.keeper.servers()
        await asyncio.gather(*(service.keeper.pack(seat, servers.get(seat) or {}) for seat in seating.held))
        files = {seat: service.keeper.files.packed(seat) for seat in seating.held}
        names = {f"{seating.names.get(seat) or seat} ({seat}).zip": path for seat, path in files.items()}
        packed = await asyncio.to_thread(_together, names)
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", f'attachment; filename="{service.settings.site.name}-all.zip"')
        with packed:
            while piece := await asyncio.to_thread(packed.read, PIECE):
                self.write(piece)
                await self.flush()


def _together(names: dict[str, Path]) -> IO[bytes]:
    """Return a file without a name that holds the packed works, each under its visitor's pseudonym."""
    whole = tempfile.TemporaryFile()  # noqa: SIM115 - who asked for it closes it
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, path in names.items():
            if path.exists():
                archive.write(path, name)
    whole.seek(0)
    return whole


def handlers() -> list[tuple[Any, ...]]:
    """Return the addresses under the service's prefix."""
    return [
        (r"(orders)?", BoardHandler),
        (r"(help|helped|message|reset|extend|close)", ActHandler),
        (r"report(\.csv)?", ReportHandler),
        (r"work\.zip", WorkHandler),
    ]

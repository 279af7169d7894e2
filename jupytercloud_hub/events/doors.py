"""The pages between a code and a seat: the code, the queue, the start, and the work afterwards.

All of them work without JavaScript: pages that wait ask again by themselves (a ``Refresh`` header).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from ..auth.pages import HubPage, StatementHandler
from ..contracts.text import Text
from ..settings.event import EventSettings
from . import codes
from .codes import OPEN, VISITOR
from .hours import NONE, Door, Orders, Standing, end_of, standing
from .store import Known, Waiting

TICKET = "event-ticket"
TICKET_DAYS = 2
ISSUED = "event-code"
PATIENCE = 1.5
"""Seconds after which a browser that was told to wait counts as one that waited."""
QUEUE_SECONDS = 5
START_SECONDS = 2
PIECE = 256 * 1024
"""Bytes of a visitor's work that are in memory at once."""
FIRST_SEAT = re.compile(r"seat-\d{4,}")


class DoorPage(HubPage):
    """What the pages share."""

    admitted: Known | None = None
    """The code that the next login is for; only `DoorPage.admit` sets it."""
    orders: Orders = NONE
    """What organizers decided on the end, as `door` found it."""
    message: str | None = None
    """What the organizers tell everybody."""

    async def door(self) -> Standing:
        """Return how the event stands now."""
        self.orders = await (await self.authenticator.store()).orders()
        return standing(
            self.authenticator.settings, self.authenticator.site.zone, self.authenticator.now(), self.orders
        )

    def page(self, template: str, refresh: int | None = None, again: str = "wait", **context: Any) -> None:
        """Write a page; ``refresh``: after how many seconds it asks again by itself, at ``again``.

        It stays as it is for who asked for that (``?still=1``): some people need more time to read.
        """
        if refresh is not None:
            address, still = f"{self.hub.base_url}event/{again}", bool(self.get_argument("still", ""))
            if not still:
                self.set_header("Refresh", f"{refresh}; url={address}")
            context |= {"reloads": address, "still": still}
        self.show(
            f"events/{template}.html",
            xsrf=self.xsrf_token.decode("ascii"),
            fictitious=self.authenticator.settings.fictitious_data,
            message=self.message,
            **context,
        )

    def ask(self, wrong: Text | None = None, typed: str = "", status: int = 200) -> None:
        """Show the page that asks for the code."""
        if status >= 400:
            self.set_status(status)
        login = f"{self.hub.base_url}oauth_login" if self.authenticator.login is not None else None
        self.page("code", wrong=wrong, typed=typed, path=f"{self.hub.base_url}login", login=login)

    def ticket(self) -> dict[str, Any] | None:
        """Return what this browser asked for before: hash of the code, whether it was found, when it first asked."""
        value = self.get_secure_cookie(TICKET, max_age_days=TICKET_DAYS)
        return json.loads(value) if value else None

    def set_ticket(self, ticket: dict[str, Any]) -> None:
        """Keep it, signed, for the pages that wait."""
        self._put(TICKET, json.dumps(ticket))

    def _put(self, name: str, value: str) -> None:
        secure = self.request.protocol == "https"
        options = {"path": self.hub.base_url, "httponly": True, "samesite": "Lax", "secure": secure}
        self.set_secure_cookie(name, value, expires_days=TICKET_DAYS, **options)

    async def proceed(self, ticket: dict[str, Any]) -> None:
        """Go as far as a code leads now: in, into the queue, or back to the page that asks for it."""
        store = await self.authenticator.store()
        self.message = await store.state("message")
        known = await self._look_up(ticket)
        if known == "later":
            self.set_ticket(ticket)
            self.page("busy", refresh=START_SECONDS)
            return
        if known is None:
            self.clear_cookie(TICKET, path=self.hub.base_url)
            self.log.warning("A code that nobody was given was tried")
            self.ask(Text("Nobody was given this code. Look at your ticket again, or ask at the stand."), status=403)
            return
        assert isinstance(known, Known)
        if known.kind == OPEN:
            await self._issue()
        elif known.kind != VISITOR and not known.kind.startswith(VISITOR):
            await self.admit(known)
        else:
            await self._visit(store, known, ticket)

    async def _look_up(self, ticket: dict[str, Any]) -> Known | str | None:
        store, guard = await self.authenticator.store(), self.authenticator.guard
        if ticket.get("found"):
            return await store.find(ticket["digest"])  # type: ignore[no-any-return]
        address, now = self.request.remote_ip or "", time.monotonic()
        patient = ticket.get("told", False) and abs(time.time() - ticket["at"]) >= PATIENCE
        if not guard.take(address, now, patient=patient):
            if not ticket.get("told") or patient:
                ticket.update(told=True, at=time.time())
            return "later"
        known: Known | None = await store.find(ticket["digest"])
        if known is not None:
            guard.right(address, patient=patient)
            ticket["found"] = True
        return known

    async def _issue(self) -> None:
        """Give somebody who came by the open code a code of her own; the same browser gets the same one."""
        authenticator = self.authenticator
        kept = self.get_secure_cookie(ISSUED, max_age_days=TICKET_DAYS)
        store = await authenticator.store()
        code = kept.decode() if kept else codes.new_code(authenticator.draw)
        digest = codes.digest(code, authenticator.key)
        if await store.find(digest) is None and not await store.issue(
            digest, f"{VISITOR}-own", authenticator.settings.open_code_cap
        ):
            await store.happened(authenticator.now(), "turned-away")
            self.set_status(403)
            self.page("full", cap=authenticator.settings.open_code_cap)
            return
        self._put(ISSUED, code)
        self.page("own", code=codes.shown(code), action=f"{self.hub.base_url}login")

    async def _visit(self, store: Any, known: Known, ticket: dict[str, Any]) -> None:
        authenticator = self.authenticator
        door = await self.door()
        if door.door is not Door.OPEN:
            over = door.door is Door.OVER
            self.set_ticket(ticket)
            refresh = None if over else 30
            until = end_of(authenticator.settings, authenticator.site.zone, self.orders) + authenticator.settings.links
            work = (
                f"{self.hub.base_url}event/work"
                if known.seat and work_of(authenticator, known.seat, self.orders)
                else None
            )
            self.page("closed", refresh=refresh, over=over, opens=door.opens, until=until, work=work)
            return
        now = authenticator.now()
        ready = authenticator.ready_seats(self.settings["users"])
        entry = await store.enter(known.digest, now, ready, authenticator.draw, self.language)
        if isinstance(entry, Waiting):
            self.set_ticket(ticket)
            self.page("queue", refresh=QUEUE_SECONDS, place=entry.place)
            return
        if entry is None:
            self.ask(status=403)
            return
        if known.seat is None:
            await store.happened(now, "entered")
        await self.admit(entry)

    async def admit(self, known: Known) -> None:
        """Log the holder of a code in."""
        self.admitted = known
        user = await self.login_user({})
        if user is None:
            raise HTTPError(403)
        self._jupyterhub_user = user
        await self.authenticator.note_connection(self.request.remote_ip or "", user.name, known.digest)
        self.clear_cookie(TICKET, path=self.hub.base_url)
        staff = not FIRST_SEAT.fullmatch(user.name)
        self.redirect(f"{self.base_url}services/events/" if staff else f"{self.hub.base_url}event/enter")


class CodeHandler(DoorPage):
    """``/hub/login``: asks for the code. A link or QR code fills it in; only the button lets in."""

    async def get(self) -> None:
        if self.current_user is not None and not self.get_query_argument("code", ""):
            self.redirect(f"{self.hub.base_url}event/enter")
            return
        typed = self.get_query_argument("code", "")[: codes.LONGEST_TYPED]
        code = codes.read(typed)
        self.ask(typed=codes.shown(code) if code else typed)

    async def post(self) -> None:
        typed = self.get_body_argument("code", "")
        code = codes.read(typed)
        if code is None:
            message = Text("This is not a whole code: nine letters and digits, such as ACD-EFG-HJK.")
            self.ask(message, typed[: codes.LONGEST_TYPED], 403)
            return
        digest = codes.digest(code, self.authenticator.key)
        before = self.ticket()
        # The same code again, before it was its turn: her place in the lane stays.
        ticket = before if before and before["digest"] == digest else {"digest": digest, "at": time.time()}
        await self.proceed(ticket)


class WaitHandler(DoorPage):
    """``/hub/event/wait``: where pages that wait ask again."""

    async def get(self) -> None:
        ticket = self.ticket()
        if ticket is None:
            self.redirect(f"{self.hub.base_url}login")
            return
        await self.proceed(ticket)


class EnterHandler(DoorPage):
    """``/hub/event/enter``: from being logged in to the notebook; starts the server where it does not run."""

    async def get(self) -> None:
        user = self.current_user
        if user is None:
            self.redirect(f"{self.hub.base_url}login")
            return
        if not FIRST_SEAT.fullmatch(user.name):
            self.redirect(f"{self.base_url}services/events/")
            return
        store = await self.authenticator.store()
        if not await store.holds(user.name):  # the seat was given to somebody else, or purged
            self.clear_login_cookie()
            self.redirect(f"{self.hub.base_url}login")
            return
        spawner = user.spawner
        if spawner.active and spawner.ready:
            seconds = await store.reached(user.name, self.authenticator.now())
            if seconds is not None:
                await store.happened(self.authenticator.now(), "notebook", seconds)
            self.redirect(f"{user.url}{self.view()}")
            return
        door = await self.door()
        if door.door is not Door.OPEN:
            until = (
                end_of(self.authenticator.settings, self.authenticator.site.zone, self.orders)
                + self.authenticator.settings.links
            )
            over = door.door is Door.OVER
            work = f"{self.hub.base_url}event/work" if work_of(self.authenticator, user.name, self.orders) else None
            self.page("closed", refresh=30, again="enter", over=over, opens=door.opens, until=until, work=work)
            return
        if not spawner.pending:
            await self._start(user)
        self.page("starting", refresh=START_SECONDS, again="enter")

    def view(self) -> str:
        """Return the page of the server that opens: the one asked for, else the event's; empty for the profile's."""
        event = self.authenticator.settings
        mobile = self.request.headers.get("Sec-CH-UA-Mobile") == "?1" or "Mobi" in self.request.headers.get(
            "User-Agent", ""
        )
        by_itself = event.first_view == "buttons" or (event.first_view == "device" and mobile)
        wanted = self.get_query_argument("view", "buttons" if by_itself else "profile")
        return str(event.buttons) if wanted == "buttons" else ""

    async def _start(self, user: Any) -> None:
        """Start a server, but no more at once than the settings say: the others' turn comes with their next look."""
        settings = self.authenticator.settings
        users = self.settings["users"]
        starting = sum(1 for one in list(users.values()) if one.spawners.get("") and one.spawners[""].pending)
        if starting >= settings.starts_at_once:
            return
        store = await self.authenticator.store()
        try:
            await self.spawn_single_user(user, options={"profile": settings.profile, "options": {}})
        except HTTPError as error:
            self.log.warning("The seat %s did not start: %s", user.name, error)
            await store.seat(user.name, failed=str(error.log_message or error.reason or "")[:255])
            await store.happened(self.authenticator.now(), "failed")


class WorkHandler(DoorPage):
    """``/hub/event/work``: what a visitor made, as a file, by the code that opened her seat."""

    async def get(self) -> None:
        ticket = self.ticket()
        # A ticket that waits for its turn holds a code that was not compared yet: a guess gets no answer here.
        asked = ticket["digest"] if ticket and ticket.get("found") else None
        known = await (await self.authenticator.store()).find(asked) if asked else None
        seat = known.seat if known else self.current_user.name if self.current_user else None
        await self.door()
        path = work_of(self.authenticator, seat, self.orders) if seat else None
        if path is None:
            self.redirect(f"{self.hub.base_url}login")
            return
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", f'attachment; filename="{self.authenticator.site.name}.zip"')
        with await asyncio.to_thread(path.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE):
                self.write(piece)
                await self.flush()


def work_of(authenticator: Any, seat: str, orders: Orders) -> Path | None:
    """Return the packed work of a seat; None where nothing was packed, or it is time that it goes."""
    over = end_of(authenticator.settings, authenticator.site.zone, orders) + authenticator.settings.links
    path = Path(authenticator.work_folder) / f"{seat}.zip"
    inside = FIRST_SEAT.fullmatch(seat) is not None
    return path if inside and path.exists() and authenticator.now() < over + timedelta(minutes=1) else None


class EventStatementHandler(StatementHandler):
    """The accessibility statement, the privacy page and the guide, as visitors of this event read them."""

    def event(self) -> EventSettings:
        return self.authenticator.settings  # type: ignore[no-any-return]

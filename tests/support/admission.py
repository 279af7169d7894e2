"""A quota service that answers what a test wants, over real HTTP, and keeps what it was told."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from jupytercloud_hub.contracts.admission import AdmissionAnswer, Reserve, admission_request
from jupytercloud_hub.contracts.budget_left import BudgetsAsked

ADMITTED = AdmissionAnswer(verdict="admitted", expires=datetime.now(UTC) + timedelta(minutes=5))


class Quotas:
    """A quota service that answers what a test wants."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.asked: list[tuple[str, str]] = []
        self.budgets: list[dict[str, Any]] = []
        self.prices: dict[str, float] = {}
        self.tokens: set[str] = set()
        self.answer = ADMITTED
        self.delay = 0.0
        self.status = 200
        sock, port = bind_unused_port()
        outer = self

        class Handler(RequestHandler):
            async def post(self) -> None:
                message = admission_request.validate_json(self.request.body)
                outer.heard.append(message)
                outer.tokens.add(self.request.headers["Authorization"])
                await asyncio.sleep(outer.delay)
                self.set_status(outer.status)
                if isinstance(message, Reserve):
                    self.write(outer.answer.model_dump_json())
                else:
                    self.write(AdmissionAnswer(verdict=f"{message.action}ed".replace("ee", "e")).model_dump_json())

        class Budgets(RequestHandler):
            async def post(self) -> None:
                asked = BudgetsAsked.model_validate_json(self.request.body)
                outer.asked.append((asked.person.username, asked.language))
                outer.tokens.add(self.request.headers["Authorization"])
                await asyncio.sleep(outer.delay)
                self.set_status(outer.status)
                self.write({"name": "more than the form reads", "budgets": outer.budgets, "prices": outer.prices})

        prefix = "/services/quotas/api/v1"
        self.server = HTTPServer(Application([(f"{prefix}/admission", Handler), (f"{prefix}/budgets", Budgets)]))
        self.server.add_socket(sock)
        self.url = f"http://127.0.0.1:{port}/services/quotas/"

    async def end(self) -> None:
        """Listen no more. A hub that ended in this loop has cancelled the connections' tasks already."""
        self.server.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await self.server.close_all_connections()

    @property
    def actions(self) -> list[str]:
        return [message.action for message in self.heard]

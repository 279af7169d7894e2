"""A real SMTP server in the test's own process: what it took stands in ``letters``, as its receivers read it."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """Takes letters; who stands in ``refused`` gets none, and answers with her status."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refused: dict[str, str] = {}
        self.port = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        letter = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"

    @property
    def settings(self) -> dict[str, Any]:
        """What ``mail:`` says to reach it."""
        return {"server": f"127.0.0.1:{self.port}", "sender": "noreply@hub.example.fr", "to_people": True}


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Run the server for the length of a test."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="mail.test"), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()

"""Letters: the one way in which any part sends an e-mail.

An address is taken, used and forgotten: it stands in no log and in no error of this module.
"""

from __future__ import annotations

import asyncio
import logging
import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..settings.mail import MailSettings

log = logging.getLogger("jupytercloud")

SECONDS = 10.0
"""How long the mail server may take for one step."""
MOST = 100
"""Letters that go over one connection."""
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter in plain text; ``str`` of it shows nobody's address."""

    to: tuple[str, ...]
    subject: str
    text: str

    def __repr__(self) -> str:
        return f"Letter({self.subject!r}, {len(self.to)} recipients)"


class Mailer:
    """Sends letters through the server of ``mail:``."""

    def __init__(self, settings: MailSettings, folder: Path, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._folder = folder
        self._now = now

    @property
    def to_people(self) -> bool:
        """Whether the operator lets people get letters."""
        return self._settings.to_people

    async def send(self, letters: Sequence[Letter]) -> list[bool]:
        """Send letters; for each, whether it is done with: taken, or refused for good.

        False: the server is away or asks to come again; the caller tries later, as long as the letter is still true.
        """
        done: list[bool] = []
        for first in range(0, len(letters), MOST):
            done += await asyncio.to_thread(self._batch, letters[first : first + MOST])
        return done

    def _batch(self, letters: Sequence[Letter]) -> list[bool]:
        done = [False] * len(letters)
        try:
            with self._connected() as server:
                for index, letter in enumerate(letters):
                    done[index] = self._one(server, letter)
        except (OSError, smtplib.SMTPException) as error:  # its words may hold an address: its kind says enough
            log.warning("%d letters were not sent: %s", done.count(False), type(error).__name__)
        return done

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=SECONDS)
        try:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.user and settings.password:
                server.login(settings.user, settings.password.read(self._folder))
        except BaseException:
            server.close()
            raise
        return server

    def _one(self, server: smtplib.SMTP, letter: Letter) -> bool:
        try:
            server.send_message(self._message(letter))
        except smtplib.SMTPRecipientsRefused as error:
            code = max((status for status, _ in error.recipients.values()), default=0)
            log.warning("a letter was refused by the mail server: status %d", code)
            return code >= 500  # RFC 5321 §4.2.1: 5yz is for good, 4yz passes
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            log.warning("a letter was refused by the mail server: status %d", error.smtp_code)
            return False
        return True

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = " ".join(letter.subject.split())[:150]
        message["From"] = self._settings.sender
        message["To"] = ", ".join(letter.to)
        message["Date"] = format_datetime(self._now())
        message["Message-ID"] = make_msgid(domain=self._settings.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers from who is on holiday
        message.set_content(letter.text)
        return message


def address_of(model: Mapping[str, Any]) -> str | None:
    """Return the address that a user's model of the hub's REST API shows; None where none was released."""
    info = model.get("user_info")
    address = info.get("email") if isinstance(info, dict) else None
    return address if isinstance(address, str) and _ADDRESS.fullmatch(address) else None

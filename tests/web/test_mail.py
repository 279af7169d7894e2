"""Letters over a real SMTP server: what they look like, who is never named, what is tried again."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jupytercloud_hub.settings.mail import MailSettings
from jupytercloud_hub.web.mail import Letter, Mailer, address_of
from tests.support.mailbox import Mailbox, mailbox

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LETTER = Letter(("anna.martin@example.fr",), "Votre serveur\ns'arrête", "Il s'arrête à 13:00. Écrivez-nous.")


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as running:
        yield running


def mailer(settings: dict[str, Any]) -> Mailer:
    return Mailer(MailSettings.model_validate(settings), Path(), lambda: NOON)


async def test_a_letter_arrives_in_plain_words_and_says_that_a_machine_wrote_it(box: Mailbox) -> None:
    assert await mailer(box.settings).send([LETTER, LETTER]) == [True, True]
    letter = box.letters[0]
    assert letter["Subject"] == "Votre serveur s'arrête"
    assert letter["To"] == "anna.martin@example.fr"
    assert letter["From"] == "noreply@hub.example.fr"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Date"].datetime == NOON
    assert letter["Message-ID"].endswith("@hub.example.fr>")
    assert letter["Message-ID"] != box.letters[1]["Message-ID"]
    assert letter.get_content().strip() == LETTER.text


async def test_who_is_refused_for_good_is_done_with_and_who_is_put_off_is_not(box: Mailbox) -> None:
    box.refused = {"gone@example.fr": "550 no such mailbox", "full@example.fr": "452 mailbox full"}
    letters = [Letter((f"{name}@example.fr",), "s", "t") for name in ("gone", "full", "anna")]
    assert await mailer(box.settings).send(letters) == [True, False, True]
    assert [letter["To"] for letter in box.letters] == ["anna@example.fr"]


async def test_no_address_stands_in_the_log_whatever_happens(box: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    box.refused = {LETTER.to[0]: "550 <anna.martin@example.fr> is unknown"}
    await mailer(box.settings).send([LETTER])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = {**box.settings, "server": f"127.0.0.1:{closed.getsockname()[1]}"}
        assert await mailer(away).send([LETTER]) == [False]
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("jupytercloud"))
    assert "status 550" in ours
    assert "ConnectionRefusedError" in ours
    assert "anna" not in ours
    assert "anna" not in repr(LETTER)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"email": "anna.martin@example.fr"}, "anna.martin@example.fr"),
        ({"email": "anna@labo"}, "anna@labo"),
        ({"email": "anna@example.fr\nBcc: all@example.fr"}, None),
        ({"email": "Anna <anna@example.fr>"}, None),
        ({"email": "anna@example.fr, bob@example.fr"}, None),
        ({"email": ["anna@example.fr"]}, None),
        ({"name": "Anna"}, None),
        (None, None),
    ],
)
def test_one_address_that_the_provider_released_is_taken_and_nothing_else(info: Any, expected: str | None) -> None:
    assert address_of({"name": "anna", "user_info": info}) == expected


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"user": "hub"}, "belong together"),
        ({"user": "hub", "password": {"env": "P"}, "server": "smtp.example.fr"}, "encrypted"),
        ({"server": "smtp.example.fr/x"}, "pattern"),
    ],
)
def test_a_password_never_goes_over_an_open_line(more: dict[str, Any], refused: str) -> None:
    with pytest.raises(ValidationError, match=refused):
        MailSettings.model_validate({"sender": "hub@example.fr", **more})


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_usual_port_goes_with_the_encryption(security: Any, port: int) -> None:
    assert MailSettings(server="smtp.example.fr", sender="hub@example.fr", security=security).port == port

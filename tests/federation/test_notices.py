"""Operators are told that a site went away and came back: once, when it holds, by webhook and by e-mail."""

import asyncio
import json

import pytest

from tests.federation.conftest import portal_of, write_portal


class Inbox:
    """A webhook's server and a mail server, each on a port of its own."""

    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.letters: list[str] = []
        self.refuse = 0

    async def start(self) -> None:
        self.web = await asyncio.start_server(self._web, "127.0.0.1", 0)
        self.smtp = await asyncio.start_server(self._smtp, "127.0.0.1", 0)
        self.web_port = self.web.sockets[0].getsockname()[1]
        self.smtp_port = self.smtp.sockets[0].getsockname()[1]

    async def _web(self, reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        body = await reader.readexactly(length)
        status = "503 No" if self.refuse else "200 OK"
        if self.refuse:
            self.refuse -= 1
        else:
            self.hooks.append(json.loads(body)["text"])
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def _smtp(self, reader, writer) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                letter = await reader.readuntil(b"\r\n.\r\n")
                self.letters.append(letter.decode())
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                break
        writer.close()


@pytest.fixture
async def inbox(monkeypatch):
    box = Inbox()
    await box.start()
    monkeypatch.setenv("REIMS_WEBHOOK", f"http://127.0.0.1:{box.web_port}/hooks/secret")
    yield box
    box.web.close()
    box.smtp.close()


@pytest.fixture
async def portal(tmp_path, sites, inbox):
    file = write_portal(tmp_path, sites)
    mail = f'mail: {{server: "127.0.0.1:{inbox.smtp_port}", sender: portail@example.fr}}\n'
    text = file.read_text().replace(
        "name: reims, title",
        "name: reims, notify: {webhook: {env: REIMS_WEBHOOK}, emails: [ops@reims.example.fr]}, title",
    )
    file.write_text(f"{text}\n{mail}")
    async with portal_of(file) as running:
        running.service.notifier.hold = 0.2
        await running.until(grenoble="up", reims="up", paris_saclay="up")
        yield running


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_site_that_goes_and_comes_back_is_told_once_each(portal, sites, inbox):
    await asyncio.sleep(0.5)
    assert inbox.hooks == []  # that all is well at the start is no news
    await sites["reims"].kill()
    await until(lambda: inbox.hooks and inbox.letters)
    assert "Ne répond pas" in inbox.hooks[0]
    assert "Does not answer" in inbox.hooks[0]
    assert "services/federation/status" in inbox.hooks[0]
    assert "To: ops@reims.example.fr" in inbox.letters[0]
    await sites["reims"].start()
    await until(lambda: len(inbox.hooks) == 2 and len(inbox.letters) == 2)
    assert "En service" in inbox.hooks[1]
    await sites["grenoble"].kill()  # nobody asked to be told of this one
    await portal.until(grenoble="down")
    await asyncio.sleep(0.5)
    assert len(inbox.hooks) == 2


async def test_what_does_not_hold_is_not_told(portal, sites, inbox):
    portal.service.notifier.hold = 10.0  # a busy machine takes seconds to start a site
    await sites["reims"].kill()
    await portal.until(reims="down")
    await sites["reims"].start()
    await portal.until(reims="up")
    await asyncio.sleep(10.5)
    assert inbox.hooks == []


async def test_a_webhook_that_refuses_is_tried_again(portal, sites, inbox):
    inbox.refuse = 1
    await sites["reims"].kill()
    await until(lambda: len(inbox.hooks) == 1)

"""What a storage's token service may answer, and what the operator is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jupytercloud_hub.profiles.remotes import Remote
from jupytercloud_hub.spawners.credentials import LARGEST_ANSWER, NoCredentialsError, assume_role


@asynccontextmanager
async def token_service(status: str, body: bytes) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status.encode(), len(body)))
        writer.write(body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        ("200 OK", b"<a>" + b" " * LARGEST_ANSWER + b"</a>", "more than 100000 bytes"),
        ("200 OK", b"<!DOCTYPE a><a/>", "without AccessKeyId"),
        ("200 OK", b"{}", "without AccessKeyId"),
        ("403 Forbidden", b"<E><Code>AccessDenied</Code><Message>secret-token</Message></E>", "HTTP 403 AccessDenied"),
        ("500 Oops", b"secret-token", "HTTP 500"),
    ],
)
async def test_no_keys_come_of_an_answer_that_is_none_and_the_reason_repeats_no_token(
    status: str, body: bytes, told: str
) -> None:
    async with token_service(status, body) as url:
        remote = Remote(name="data", kind="s3", url="https://s3.example.org", sts=url)
        with pytest.raises(NoCredentialsError, match=told) as error:
            await assume_role(remote, "secret-token", "anna")
    assert "secret-token" not in str(error.value)

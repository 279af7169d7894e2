"""Thousands of made-up links over HTTP: no Location ever leaves the known sites, and no answer is a crash.

Set JUPYTERCLOUD_FUZZ_LINKS for another number than the default. Home sites are looked up in memory: links are fuzzed
here, not the database, which would cost two thirds of the time.
"""

import asyncio
import os
import random

import httpx
import pytest

from jupytercloud_hub.federation import homes
from tests.federation.conftest import PREFIX, portal_of, write_portal

LINKS = int(os.environ.get("JUPYTERCLOUD_FUZZ_LINKS", "100000"))
PIECES = [
    b"/",
    b"//",
    b"\\",
    b"%2F",
    b"%2f%2f",
    b"%5c",
    b"..",
    b".",
    b"%2e%2e",
    b"%252e",
    b"%25",
    b"http:",
    b"https://",
    b"//e.example",
    b"@",
    b"e.example",
    b"~site=reims/",
    b"~site=grenoble/",
    b"~site=atlantis/",
    b"~profile=gpu/",
    b"~",
    b"~site=",
    b"?",
    b"?lang=%ff",
    b"&",
    b"=",
    b"#",
    b"%0d%0aLocation:%20http://e.example",
    b"\xc3\xa9",
    b"\xff",
    b"\x7f",
    b"\x01",
    b"hub",
    b"hub/user-redirect/",
    b"lab",
    b";",
    b":",
    b"[::1]",
    b"%00",
    b"\xe2\x88\x95",
    b"javascript:",
    b"x" * 300,
    b"%",
    b"%z",
    b"_xsrf=1",
    b"token=abc",
]


@pytest.mark.timeout(900)
async def test_no_made_up_link_leaves_the_federation(tmp_path, sites, monkeypatch):
    rng = random.Random(20261120)
    statuses: dict[int, int] = {}
    async with portal_of(write_portal(tmp_path, sites, quick=False)) as portal:
        await portal.until(grenoble="up", reims="up", paris_saclay="up")
        known = tuple(site.url for site in sites.values())
        route = (await portal.get("go/hub/")).headers["Set-Cookie"].partition(";")[0].encode()
        found = {}

        async def remembered(session, person, now):
            if person.username not in found:
                found[person.username] = await looked_up(session, person, now)
            return found[person.username]

        looked_up = homes.of
        monkeypatch.setattr(homes, "of", remembered)
        people = [b"", b"service-federation=marie", b"service-federation=paul", b"service-federation=marie; " + route]

        async def visit(count: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", portal.port)
            for _ in range(count):
                link = b"".join(rng.choice(PIECES) for _ in range(rng.randint(0, 8)))
                method = rng.choice([b"GET", b"HEAD"])
                cookie = rng.choice(people)
                writer.write(
                    b"%s %sgo/%s HTTP/1.1\r\nHost: x\r\n%s\r\n"
                    % (method, PREFIX.encode(), link, b"Cookie: %s\r\n" % cookie if cookie else b"")
                )
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:  # tornado closes on a request line that is none
                    reader, writer = await asyncio.open_connection("127.0.0.1", portal.port)
                    continue
                status = int(head.split(b" ", 2)[1])
                statuses[status] = statuses.get(status, 0) + 1
                headers = httpx.Headers([tuple(line.split(b": ", 1)) for line in head.strip().split(b"\r\n")[1:]])
                location = headers.get("Location", "")
                if location:
                    own = location.startswith("/portal/hub/api/oauth2/authorize?client_id=service-federation")
                    assert own or location.startswith(known), (link, location)
                    assert status == 302
                if method == b"GET" and status != 302:
                    await reader.readexactly(int(headers.get("Content-Length", "0")))
                if headers.get("Connection") == "close":
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", portal.port)
            writer.close()

        await asyncio.gather(*(visit(LINKS // 4) for _ in range(4)))
    assert not [status for status in statuses if status >= 500], statuses
    assert statuses[302] > LINKS / 100
    assert statuses[400] > LINKS / 100

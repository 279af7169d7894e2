"""One server of the redirect benchmark: the federation service, a bare tornado handler that answers 302, or the sites.

``python -m tests.bench.redirect_server ours|bare|sites FOLDER`` prints the port and, for ours, a cookie of a person
with a home site; then it serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from tests.federation.conftest import PREFIX, FakeSite, portal_of, write_portal
from tests.support.ports import free_port

GO = f"{PREFIX}go/"


class Bare(RequestHandler):
    """The least that tornado can do for a redirect."""

    def get(self) -> None:
        self.redirect("http://127.0.0.1:9/site/hub/user-redirect/lab")


async def bare() -> None:
    port = free_port()
    server = HTTPServer(Application([(r"/.*", Bare)], log_function=lambda handler: None))
    server.listen(port, "127.0.0.1")
    print(json.dumps({"port": port, "path": GO, "cookie": "a=b"}), flush=True)
    await asyncio.Event().wait()


async def ours(folder: Path) -> None:
    told = json.loads(sys.stdin.readline())
    sites = {name: SimpleNamespace(url=url) for name, url in told.items()}
    async with portal_of(write_portal(folder, sites, quick=False)) as portal:
        await portal.until(grenoble="up", reims="up", paris_saclay="up")
        first = await portal.get("go/hub/")
        route = first.headers["Set-Cookie"].partition(";")[0]
        cookie = f"service-federation=marie; jupyterhub-session-id=s-marie; {route}"
        portal.hub.away = True  # from here on whoever asks the hub is told so by a status that is not 302
        print(json.dumps({"port": portal.port, "path": GO, "cookie": cookie}), flush=True)
        await asyncio.Event().wait()


async def sites() -> None:
    """The sites, in a process of their own."""
    found = {name: FakeSite() for name in ("grenoble", "reims", "paris-saclay")}
    for site in found.values():
        await site.start()
    print(json.dumps({name: site.url for name, site in found.items()}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.disable(logging.INFO)
    asyncio.run({"bare": bare, "sites": sites, "ours": lambda: ours(Path(sys.argv[2]))}[sys.argv[1]]())

"""Connections that the hub's spawners share: one client per event loop and server asked, made without blocking it."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import certifi
import httpx

from ..contracts.loopback import is_loopback

AT_ONCE = 50
_servers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Asked]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Asked:
    """A server that is asked: the client, and the slots that bound how many ask at once (to be held while asking).

    The client's pool has no bound of its own: it may keep the place of a request that ran out of time for ever.
    """

    client: httpx.AsyncClient
    slots: asyncio.Semaphore


async def asked(url: str) -> Asked:
    """Return the running loop's client for the server of a configured address.

    Who asks bounds the time. A slow server takes no connection of another's, and this machine's own addresses never
    go through a proxy, whatever the environment says.
    """
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc}"
    servers = _servers.setdefault(asyncio.get_running_loop(), {})
    if server not in servers:
        # Loading httpcore and the certificate bundle takes tens of milliseconds: not in the hub's one thread.
        made = await asyncio.to_thread(_client, plain=parts.scheme == "http", direct=is_loopback(url))
        servers.setdefault(server, Asked(made, asyncio.Semaphore(AT_ONCE)))
    return servers[server]


def _client(*, plain: bool, direct: bool) -> httpx.AsyncClient:
    own = os.environ.get("SSL_CERT_FILE")
    return httpx.AsyncClient(
        verify=not plain
        and ssl.create_default_context(cafile=own or certifi.where(), capath=os.environ.get("SSL_CERT_DIR")),
        trust_env=not direct,
        timeout=None,  # noqa: S113 - who asks bounds the whole
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
    )

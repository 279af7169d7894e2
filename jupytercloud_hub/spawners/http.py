"""Connections that the hub's spawners share: one client per event loop and server asked, made without blocking it."""

from __future__ import annotations

import asyncio
import os
import ssl
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import certifi
import httpx

from ..contracts.loopback import is_loopback

CONNECTIONS = 50
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, httpx.AsyncClient]] = WeakKeyDictionary()


async def client_for(url: str) -> httpx.AsyncClient:
    """Return the running loop's client for the server of a configured address, with 50 connections at most.

    Who asks bounds the time. A slow server takes no connection of another's, and this machine's own addresses never
    go through a proxy, whatever the environment says.
    """
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc}"
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if server not in clients:
        # Loading httpcore and the certificate bundle takes tens of milliseconds: not in the hub's one thread.
        made = await asyncio.to_thread(_client, plain=parts.scheme == "http", direct=is_loopback(url))
        clients.setdefault(server, made)
    return clients[server]


def _client(*, plain: bool, direct: bool) -> httpx.AsyncClient:
    own = os.environ.get("SSL_CERT_FILE")
    return httpx.AsyncClient(
        verify=not plain
        and ssl.create_default_context(cafile=own or certifi.where(), capath=os.environ.get("SSL_CERT_DIR")),
        trust_env=not direct,
        timeout=None,  # noqa: S113 - who asks bounds the whole
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=10),
    )

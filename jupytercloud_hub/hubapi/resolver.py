"""Names of hub and servers, asked of the system at each new connection.

JupyterHub 6 brings aiodns, whose c-ares (1.31 and newer) keeps an answer for as long as its TTL says. Docker's DNS says
600 s, and on Swarm a hub or a server that is replaced has another address at once: for ten minutes it is sought at
the old one. The system's own resolver keeps nothing.
"""

from __future__ import annotations

import socket
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from jupyterhub.httpclient import JupyterHubHTTPClient


class SystemResolver(AbstractResolver):
    """aiohttp's resolver by ``getaddrinfo``, which may be made before there is an event loop."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await ThreadedResolver().resolve(host, port, family)

    async def close(self) -> None:
        """Nothing is kept."""


def connector_options() -> dict[str, Any]:
    """Return ``JupyterHubHTTPClient.connector_options`` of whoever speaks with hub or servers by name."""
    return {"resolver": SystemResolver()}


def ask_the_system() -> None:
    """Let this process (a service, not the hub), before its first request to the hub, use the system's resolver."""
    JupyterHubHTTPClient.instance().connector_options = connector_options()

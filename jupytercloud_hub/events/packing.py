"""A visitor's work, read from her running server: where homes are an engine's, nobody else sees them."""

from __future__ import annotations

import base64
import logging
from typing import Any
from urllib.parse import quote, urlsplit

from ..hubapi import HubApi, HubApiError
from ..settings import Settings
from .files import LARGEST, SeatFiles

log = logging.getLogger("jupytercloud")
MOST_FILES = 500
READ_SECONDS = 60.0


class ServerFiles:
    """Reads what is in servers, through the hub's proxy and Jupyter's contents API."""

    def __init__(self, settings: Settings, token: str, files: SeatFiles) -> None:
        url = (settings.event.proxy_url if settings.event else "") or settings.site.url
        parts = urlsplit(url)
        self._api = HubApi(f"{parts.scheme}://{parts.netloc}", token, timeout=READ_SECONDS)
        self._files = files

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def pack(self, account: str, server: str) -> bool:
        """Pack what is in a server whose path is ``server`` (/user/seat-0001/); False where it could not be read.

        Nothing hidden is given by Jupyter; what is larger than `LARGEST` in all stays behind.
        """
        made: list[tuple[str, bytes]] = []
        try:
            await self._read(server, "", made, 0)
        except (HubApiError, KeyError, TypeError, ValueError) as error:
            log.warning("the work of %s could not be read: %s", account, error)
            return False
        if made:
            self._files.write(account, made)
        return True

    async def _read(self, server: str, folder: str, made: list[tuple[str, bytes]], size: int) -> int:
        listed = await self._get(server, folder)
        for entry in sorted(listed["content"], key=lambda one: str(one["path"])):
            if len(made) >= MOST_FILES:
                break
            path = str(entry["path"])
            if entry["type"] == "directory":
                size = await self._read(server, path, made, size)
            elif size + (entry.get("size") or 0) <= LARGEST:
                file = await self._get(server, path, type="file", format="base64")
                content = base64.b64decode(file["content"])
                size += len(content)
                made.append((path, content))
        return size

    async def _get(self, server: str, path: str, **query: str) -> Any:
        return await self._api.get(f"{server.strip('/')}/api/contents/{quote(path)}", **query)

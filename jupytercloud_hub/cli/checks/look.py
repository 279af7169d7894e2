"""What all areas share: the settings, one HTTP client, the token, and errors of the network in plain words."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...settings import Settings
from ...settings.configure.names import CHECK_TOKEN_FILE

REQUEST_SECONDS = 4.0


@dataclass(frozen=True)
class Look:
    """One look at one hub."""

    settings: Settings
    client: httpx.AsyncClient
    token: str = ""
    no_token: Text | None = None
    """Why there is no token."""

    @property
    def hub(self) -> str:
        """The hub's public address, ending in ``/``."""
        return self.settings.site.url

    async def get(self, url: str, *, as_check: bool = False, **options: Any) -> httpx.Response:
        """GET an address; ``as_check`` sends the token. Raises what httpx raises."""
        headers = {"Authorization": f"Bearer {self.token}"} if as_check else {}
        return await self.client.get(url, headers=headers, **options)

    def unseen(self, area: str, what: Text) -> Finding:
        """Return the finding for something that only a token can look at."""
        mend = Text("Run this as the hub's own account on its machine, or give --token-file.")
        return Finding(area, "skipped", what, mend, self.no_token)


@asynccontextmanager
async def looking(settings: Settings, token: str, no_token: Text | None, language: str) -> AsyncIterator[Look]:
    """Open the client for one look; requests to this machine never go through a proxy."""
    headers = {"Accept-Language": language}
    mounts: Mapping[str, httpx.AsyncBaseTransport | None] = {
        f"all://{host}": None for host in ("127.0.0.1", "localhost")
    }
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, mounts=mounts, headers=headers) as client:
        yield Look(settings, client, token, no_token)


def find_token(settings: Settings, file: Path | None, kept: str = CHECK_TOKEN_FILE) -> tuple[str, Text | None]:
    """Return the token of the file, of JUPYTERHUB_API_TOKEN, or the one that `configure` keeps; else why not."""
    if file is None and os.environ.get("JUPYTERHUB_API_TOKEN"):
        return os.environ["JUPYTERHUB_API_TOKEN"], None
    path = file or settings.state_folder / kept
    try:
        return path.read_text(encoding="utf-8").strip(), None
    except FileNotFoundError:
        if file is None:
            return "", Text("no token: {path} is made when the hub starts with configure(…)", path=str(path))
        return "", Text("there is no file {path}", path=str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return "", Text("the token in {path} can't be read: {error}", path=str(path), error=reason)


def reason(error: Exception) -> Text:
    """Return in words why a request got no answer."""
    said = str(error)
    if isinstance(error, httpx.TimeoutException):
        return Text("no answer within {seconds} s", seconds=f"{REQUEST_SECONDS:g}")
    if "CERTIFICATE" in said.upper():
        return Text("its certificate is not trusted here: {error}", error=said)
    if "Name or service not known" in said or "getaddrinfo" in said or "nodename" in said:
        return Text("its name is not known to the DNS")
    if "refused" in said.lower() or "All connection attempts failed" in said:
        return Text("nothing listens at its address")
    return Text("{error}", error=said or type(error).__name__)


def is_certificate(error: Exception) -> bool:
    """Whether a request failed for a certificate."""
    return "CERTIFICATE" in str(error).upper()

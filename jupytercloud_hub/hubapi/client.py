"""Calls to JupyterHub's REST API: all pages, a bound on how many are under way, retries with back-off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import quote

import httpx

from ..contracts.loopback import is_loopback

PAGINATION = "application/jupyterhub-pagination+json"
PAGE_SIZE = 200
"""The largest page that JupyterHub gives."""
RETRIES = 4
_BACK_OFF_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 10.0
_PASSING = frozenset({429, 500, 502, 503, 504})


class HubApiError(Exception):
    """The hub refused a call, or could not be reached (status 0)."""

    def __init__(self, status: int, path: str, detail: str) -> None:
        self.status = status
        self.path = path
        self.detail = detail
        super().__init__(f"{status or 'no answer'} for {path}: {detail}")


class HubApi:
    """A client that keeps at most ``concurrency`` calls under way.

    GET and DELETE are tried again on 429, 5xx and lost connections, as often as `RETRIES`, waiting what
    ``Retry-After`` says or twice as long each time; POST only on 429, which JupyterHub answers before it acts.
    """

    def __init__(
        self,
        api_url: str,
        token: str,
        *,
        concurrency: int = 10,
        timeout: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._client = httpx.AsyncClient(
            base_url=api_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
            # No bound of the pool's own: it may keep the place of a request that was cancelled for ever.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=concurrency),
            transport=transport,
            trust_env=not is_loopback(api_url),
            verify=not api_url.startswith("http:"),  # certificates that nobody will be shown are not read in
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API and return the answer, whatever its status below 400. Raises `HubApiError`."""
        for attempt in range(RETRIES + 1):
            last = attempt == RETRIES
            try:
                async with self._slots:
                    response = await self._client.request(method, path, **options)
            except httpx.TransportError as error:
                if last or method not in {"GET", "HEAD", "DELETE"}:
                    raise HubApiError(0, path, type(error).__name__) from error
                await asyncio.sleep(_pause(attempt))
                continue
            if response.status_code < 400:
                return response
            again = response.status_code == 429 or (
                method in {"GET", "HEAD", "DELETE"} and response.status_code in _PASSING
            )
            if last or not again:
                raise HubApiError(response.status_code, path, _message(response))
            await asyncio.sleep(_retry_after(response) or _pause(attempt))
        raise AssertionError("unreachable")

    async def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of a GET."""
        return (await self.request("GET", path, params=params)).json()

    async def post(self, path: str, body: Any = None) -> Any:
        """Return the JSON of a POST; None where there is none."""
        response = await self.request("POST", path, json=body)
        return response.json() if response.content else None

    async def delete(self, path: str, body: Any = None) -> int:
        """Return the status of a DELETE."""
        return (await self.request("DELETE", path, json=body)).status_code

    async def users(self, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield every user's model, over all pages; ``state="active"`` asks for owners of running servers only.

        A list that changes between two pages may give one user twice; she is yielded once.
        """
        seen: set[str] = set()
        query: dict[str, Any] = {"limit": PAGE_SIZE, **params}
        offset: int | None = 0
        while offset is not None:
            response = await self.request(
                "GET", "users", params={**query, "offset": offset}, headers={"Accept": PAGINATION}
            )
            page = response.json()
            for user in page["items"]:
                if user["name"] not in seen:
                    seen.add(user["name"])
                    yield user
            following = page["_pagination"]["next"]
            offset = following["offset"] if following else None

    async def user(self, name: str) -> dict[str, Any] | None:
        """Return a user's model, or None where there is no such user."""
        try:
            return await self.get(f"users/{quote(name, safe='')}")  # type: ignore[no-any-return]
        except HubApiError as error:
            if error.status == 404:
                return None
            raise

    async def stop_server(self, user: str, server: str = "") -> bool:
        """Stop a server; True when it is gone at once, False when it is still stopping (202)."""
        path = f"users/{quote(user, safe='')}"
        path += f"/servers/{quote(server, safe='')}" if server else "/server"
        return await self.delete(path) == 204


def _pause(attempt: int) -> float:
    longest: float = min(_BACK_OFF_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, decides nothing


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return min(float(value), _LONGEST_PAUSE_SECONDS) if value.isdigit() else None


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        return response.reason_phrase

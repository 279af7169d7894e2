"""Requests to the provider: never blocking, bounded in time and size, through the environment's proxies."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from .errors import ProviderMisconfigured, ProviderUnavailable

MAX_BODY = 1_000_000  # bytes
_KNOWN = frozenset(
    {"proxy_host", "proxy_port", "proxy_username", "proxy_password", "ca_certs", "validate_cert"}
    | {"client_cert", "client_key", "connect_timeout", "request_timeout", "user_agent"}
)


class ProviderClient:
    """One connection pool to one provider.

    ``options`` are oauthenticator's ``http_request_kwargs``; the environment's ``HTTPS_PROXY``, ``NO_PROXY``
    and ``SSL_CERT_FILE`` count as well. Redirects are never followed: an endpoint is where the provider says it
    is. ``observe(endpoint, seconds, outcome)`` is told of every request.
    """

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        *,
        observe: Callable[[str, float, str], None] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._options = dict(options or {})
        unknown = sorted(set(self._options) - _KNOWN)
        if unknown:
            raise ValueError(f"http_request_kwargs: {', '.join(unknown)} not known; known: {', '.join(sorted(_KNOWN))}")
        self._observe = observe or (lambda endpoint, seconds, outcome: None)
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.deadline = float(self._options.get("request_timeout", 10.0))

    async def json(
        self,
        endpoint: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON object of an answer below 500; ``endpoint`` is its name in messages and metrics.

        Raises `ProviderUnavailable` for no answer, 429 and 5xx, `ProviderMisconfigured` for anything else that
        is not a JSON object of at most 1 MB.
        """
        started = time.perf_counter()
        outcome = "error"
        try:
            client = await self._ready()
            async with asyncio.timeout(self.deadline):
                status, body = await self._read(client, endpoint, method, url, headers, form)
            outcome = "ok" if status < 400 else "refused"
            return status, _object(endpoint, status, body)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderUnavailable("provider-unreachable", f"{endpoint}: {type(error).__name__}") from None
        finally:
            self._observe(endpoint, time.perf_counter() - started, outcome)

    async def close(self) -> None:
        """Close the pool."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @staticmethod
    async def _read(
        client: httpx.AsyncClient,
        endpoint: str,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> tuple[int, bytes]:
        async with client.stream(method, url, headers=headers, data=form) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY:
                    raise ProviderMisconfigured("provider-answer-too-long", endpoint)
            if response.status_code >= 500 or response.status_code == 429:
                raise ProviderUnavailable("provider-unavailable", f"{endpoint}: status {response.status_code}")
            return response.status_code, bytes(body)

    async def _ready(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            # Reading the certificate bundle takes tens of milliseconds: not in the hub's one thread.
            client = await asyncio.to_thread(self._build)
            if self._client is None or self._loop is not loop:
                self._client, self._loop = client, loop
        return self._client

    def _build(self) -> httpx.AsyncClient:
        options = self._options
        proxy = None
        if options.get("proxy_host"):
            auth = (
                (options["proxy_username"], options.get("proxy_password", ""))
                if options.get("proxy_username")
                else None
            )
            proxy = httpx.Proxy(f"http://{options['proxy_host']}:{options.get('proxy_port', 3128)}", auth=auth)
        verify: ssl.SSLContext | bool = True
        if options.get("validate_cert") is False:
            verify = False
        elif options.get("ca_certs") or options.get("client_cert"):
            verify = ssl.create_default_context(cafile=options.get("ca_certs"))
            if options.get("client_cert"):
                verify.load_cert_chain(options["client_cert"], options.get("client_key"))
        return httpx.AsyncClient(
            verify=verify,
            proxy=proxy,
            transport=self._transport,
            timeout=httpx.Timeout(self.deadline, connect=float(options.get("connect_timeout", 5.0))),
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=30),
            follow_redirects=False,
            headers={"User-Agent": options.get("user_agent", "JupyterHub"), "Accept": "application/json"},
        )


def _object(endpoint: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    if status >= 400:
        return {}  # userinfo says "no" in the WWW-Authenticate header (RFC 6750 3)
    raise ProviderMisconfigured("provider-answer-unreadable", f"{endpoint}: status {status}")

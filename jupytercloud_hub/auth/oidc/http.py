"""Requests to the provider: never blocking, bounded in time and size, through the environment's proxies."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import httpcore

from ...contracts.loopback import LOOPBACK
from .errors import ProviderMisconfigured, ProviderUnavailable

MAX_BODY = 1_000_000  # bytes
AT_ONCE = 50
# No bound of the pool's own: it may keep the place of a request that ran out of time for ever.
_LIMITS: dict[str, Any] = {"max_connections": None, "max_keepalive_connections": 10, "keepalive_expiry": 30.0}
_FAILURES = (
    TimeoutError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
_KNOWN = frozenset(
    {"proxy_host", "proxy_port", "proxy_username", "proxy_password", "ca_certs", "validate_cert"}
    | {"client_cert", "client_key", "connect_timeout", "request_timeout", "user_agent"}
)


class ProviderClient:
    """Connections to one provider, kept open between requests.

    ``options`` are oauthenticator's ``http_request_kwargs``; the environment's ``HTTPS_PROXY``, ``NO_PROXY`` and
    ``SSL_CERT_FILE`` count as well. Redirects are never followed: an endpoint is where the provider says it is.
    ``observe(endpoint, seconds, outcome)`` is told of every request. It stands on httpcore: httpx on top of it would
    cost the hub's one thread more than the login's own work.
    """

    def __init__(
        self, options: Mapping[str, Any] | None = None, *, observe: Callable[[str, float, str], None] | None = None
    ) -> None:
        self._options = dict(options or {})
        unknown = sorted(set(self._options) - _KNOWN)
        if unknown:
            raise ValueError(f"http_request_kwargs: {', '.join(unknown)} not known; known: {', '.join(sorted(_KNOWN))}")
        self._observe = observe or (lambda endpoint, seconds, outcome: None)
        self._pools: dict[str | None, httpcore.AsyncConnectionPool] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.deadline = float(self._options.get("request_timeout", 10.0))
        self._extensions = {"timeout": {"connect": float(self._options.get("connect_timeout", 5.0))}}

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
        sent = [(name.encode(), value.encode()) for name, value in self._headers(headers, form)]
        content = urlencode(form).encode() if form is not None else None
        try:
            pool = await self._pool(url)
            async with (
                asyncio.timeout(self.deadline),
                self._slots,
                pool.stream(method, url, headers=sent, content=content, extensions=self._extensions) as response,
            ):
                body = await self._body(endpoint, response)
            status = int(response.status)
            if status >= 500 or status == 429:
                raise ProviderUnavailable("provider-unavailable", f"{endpoint}: status {status}")
            outcome = "ok" if status < 400 else "refused"
            return status, _object(endpoint, status, body)
        except (*_FAILURES, OSError) as error:
            raise ProviderUnavailable("provider-unreachable", f"{endpoint}: {type(error).__name__}") from None
        finally:
            self._observe(endpoint, time.perf_counter() - started, outcome)

    async def close(self) -> None:
        """Close all connections."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    def _headers(self, headers: Mapping[str, str] | None, form: Mapping[str, str] | None) -> list[tuple[str, str]]:
        kind = [("Content-Type", "application/x-www-form-urlencoded")] if form is not None else []
        usual = [("User-Agent", str(self._options.get("user_agent", "JupyterHub"))), ("Accept", "application/json")]
        return [*usual, *kind, *(headers or {}).items()]

    @staticmethod
    async def _body(endpoint: str, response: httpcore.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise ProviderMisconfigured("provider-answer-too-long", endpoint)
        return bytes(body)

    async def _pool(self, url: str) -> httpcore.AsyncConnectionPool:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._pools, self._loop, self._slots = {}, loop, asyncio.Semaphore(AT_ONCE)
        proxy = self._proxy(url)
        if proxy not in self._pools:
            # Reading the certificate bundle takes tens of milliseconds: not in the hub's one thread.
            context = await asyncio.to_thread(self._ssl_context)
            if proxy not in self._pools:
                self._pools[proxy] = self._new_pool(proxy, context)
        return self._pools[proxy]

    def _proxy(self, url: str) -> str | None:
        """Return the proxy to go through: the configured one, else the environment's; never to this machine."""
        options = self._options
        if options.get("proxy_host"):
            return f"http://{options['proxy_host']}:{options.get('proxy_port', 3128)}"
        parts = urlsplit(url)
        if parts.hostname in LOOPBACK or proxy_bypass(parts.netloc):
            return None
        proxies = getproxies()
        return proxies.get(parts.scheme) or proxies.get("all")

    def _new_pool(self, proxy: str | None, context: ssl.SSLContext) -> httpcore.AsyncConnectionPool:
        if proxy is None:
            return httpcore.AsyncConnectionPool(ssl_context=context, **_LIMITS)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        user = self._options.get("proxy_username") or parts.username
        word = self._options.get("proxy_password") or parts.password or ""
        credentials = b64encode(f"{user}:{word}".encode()).decode()
        return httpcore.AsyncHTTPProxy(
            proxy_url=f"{parts.scheme}://{parts.hostname}:{parts.port or 3128}",
            proxy_headers={"Proxy-Authorization": f"Basic {credentials}"} if user else None,
            ssl_context=context,
            **_LIMITS,
        )

    def _ssl_context(self) -> ssl.SSLContext:
        options = self._options
        own = options.get("ca_certs") or os.environ.get("SSL_CERT_FILE")
        context = ssl.create_default_context(cafile=own or certifi.where(), capath=os.environ.get("SSL_CERT_DIR"))
        if options.get("validate_cert") is False:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if options.get("client_cert"):
            context.load_cert_chain(options["client_cert"], options.get("client_key"))
        return context


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

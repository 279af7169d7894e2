"""An HTTP proxy between a hub and its OpenID provider that can change every request and every answer."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

Change = Callable[[dict[str, Any]], Any]


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_token(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Return a JWT put together by hand, with any signature."""
    return ".".join(encoded(part) for part in (json.dumps(header).encode(), json.dumps(claims).encode(), signature))


class TamperingProxy:
    """Forwards plain HTTP; ``change[endpoint]`` gets an answer's JSON and returns another one (or a tuple
    of status, headers, body); endpoints are discovery, jwks, token, userinfo."""

    PATHS = {"openid-configuration": "discovery", "jwks": "jwks", "token": "token", "me": "userinfo"}

    def __init__(self, keys_file: Path) -> None:
        self.change: dict[str, Change] = {}
        self.seen: list[str] = []
        self.port = 0
        self._keys_file = keys_file

    @property
    def private_keys(self) -> dict[str, dict[str, Any]]:
        """The provider's own signing keys by key type: with them a token can be wrong and well signed."""
        document = json.loads(self._keys_file.read_text())
        return {key["kty"]: key for key in document["jwks"]["keys"]}

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None, *, alg: str = "RS256") -> str:
        """Return a token that the provider's own key signed."""
        key, algorithm = self.private_keys["EC" if alg.startswith("ES") else "RSA"], alg
        private = jwt.PyJWK({**key, "alg": algorithm}).key
        return jwt.encode(claims, private, algorithm=algorithm, headers={"kid": key["kid"], **(header or {})})

    @contextlib.contextmanager
    def id_token(self, make: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Iterator[None]:
        """Replace ID tokens by what ``make(header, claims)`` returns; None takes the token away."""

        def change(answer: dict[str, Any]) -> dict[str, Any]:
            token = answer.pop("id_token", None)
            if token is None:
                return answer
            made = make(jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False}))
            return answer if made is None else {**answer, "id_token": made}

        with self.changing(token=change):
            yield

    @contextlib.contextmanager
    def changing(self, **changes: Change) -> Iterator[None]:
        """Change answers while the context lasts."""
        self.change.update(changes)
        try:
            yield
        finally:
            for name in changes:
                del self.change[name]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[TamperingProxy]:
        """Listen on a free port."""
        proxy = self

        class Forward(web.RequestHandler):
            async def _forward(self) -> None:
                await proxy.forward(self)

            get = post = _forward

        sockets = bind_sockets(0, "127.0.0.1")
        self.port = sockets[0].getsockname()[1]
        server = HTTPServer(web.Application([(r".*", Forward)]))
        server.add_sockets(sockets)
        try:
            yield self
        finally:
            server.stop()
            await server.close_all_connections()

    async def forward(self, handler: web.RequestHandler) -> None:
        """Pass one request on and its answer back, changed or not."""
        request = handler.request
        endpoint = self.PATHS.get(urlsplit(request.uri or "").path.rpartition("/")[2], "")
        self.seen.append(endpoint)
        headers = {
            name: value for name, value in request.headers.items() if not re.match("(?i)proxy-|connection", name)
        }
        answer = await AsyncHTTPClient().fetch(
            HTTPRequest(
                request.uri or "",
                method=request.method or "GET",
                headers=headers,
                body=request.body if request.method == "POST" else None,
                follow_redirects=False,
            ),
            raise_error=False,
        )
        status, body = answer.code, answer.body
        extra: dict[str, str] = {}
        if endpoint in self.change:
            changed = self.change[endpoint](json.loads(body))
            if isinstance(changed, tuple):
                status, extra, body = changed
            else:
                body = json.dumps(changed).encode()
        handler.set_status(status)
        handler.set_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        for name, value in extra.items():
            handler.set_header(name, value)
        handler.finish(body)

"""An OpenID provider's documents for tests that need no login: it can be wrong in every way."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa


class FakeProvider:
    """Serves discovery and keys on a free port; its attributes may be changed while it runs."""

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body = outer.answer(self.path)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response_only(status)
                self.send_header("Date", format_datetime(datetime.now(UTC) + outer.ahead, usegmt=True))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.told = self.issuer
        self.ahead = timedelta(0)
        self.status = 200
        self.body: bytes | None = None
        self.keys = [public(ec.generate_private_key(ec.SECP256R1()), "ES256")]
        self.asked: list[str] = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, Any]:
        if self.body is not None:
            return self.status, self.body
        if path == "/.well-known/openid-configuration":
            ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
            return self.status, {"issuer": self.told, "jwks_uri": f"{self.issuer}/jwks", **ends}
        return self.status, {"keys": self.keys}

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def public(key: Any, algorithm: str) -> dict[str, Any]:
    """Return the public half of a key as it stands in a JWKS."""
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": algorithm, "use": "sig", "alg": algorithm}


def weak_key() -> dict[str, Any]:
    """Return an RSA key that is too short to be accepted."""
    return public(rsa.generate_private_key(65537, 1024), "RS256")

"""How the hub proves to the token endpoint which client it is (RFC 6749 2.3.1, RFC 7523, Core 9)."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote_plus

import jwt

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class ClientCredentials:
    """The client at the provider: with a secret, or with a private key, which is then used."""

    client_id: str
    secret: str = field(default="", repr=False)
    post: bool = False
    private_key: str = field(default="", repr=False)
    """PEM."""
    key_id: str | None = None
    algorithm: str = "ES256"
    now: Callable[[], float] = time.time

    def authenticate(self, form: dict[str, str], audience: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the form and the headers with which the token endpoint ``audience`` is asked."""
        if self.private_key:
            return {**form, "client_id": self.client_id, **self._assertion(audience)}, {}
        if self.post or not self.secret:
            return {
                **form,
                "client_id": self.client_id,
                **({"client_secret": self.secret} if self.secret else {}),
            }, {}
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return form, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _assertion(self, audience: str) -> dict[str, str]:
        now = int(self.now())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 60,
        }
        headers = {"kid": self.key_id} if self.key_id else None
        token = jwt.encode(claims, self.private_key, algorithm=self.algorithm, headers=headers)
        return {"client_assertion_type": ASSERTION, "client_assertion": token}

"""What a login remembers between the hub and the provider and back.

Each tab has its own ``state``, signed by the hub, and the browser has one secret in a cookie. PKCE verifier
and nonce are derived from both, so nothing is stored, any number of tabs can log in at once, and an answer
that comes back in another browser is worth nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import zlib
from collections import OrderedDict
from dataclasses import dataclass

COOKIE = "jupytercloud-login"
STATE_NAME = "jupytercloud-login-state"  # goes into the signature: no other signed value passes for a state
MAX_AGE_DAYS = 1 / 24  # a login that takes longer than an hour begins anew
MAX_NEXT = 4000  # characters of the address to go to afterwards
MAX_STATE = 16_000


@dataclass(frozen=True)
class LoginState:
    """One login in one tab."""

    id: str
    next_url: str = ""
    language: str = ""
    acr: tuple[str, ...] = ()
    """How strong the login must be, where that was asked for."""
    max_age: int | None = None
    invitation: str = ""
    """The invitation (its id, not its secret) by whose link the person came."""

    @classmethod
    def new(
        cls,
        next_url: str,
        language: str,
        acr: tuple[str, ...] = (),
        max_age: int | None = None,
        *,
        invitation: str = "",
    ) -> LoginState:
        """Return the state of a login that begins."""
        kept = next_url if len(next_url) <= MAX_NEXT else ""
        return cls(secrets.token_urlsafe(16), kept, language, acr, max_age, invitation)

    def pack(self) -> bytes:
        """Return it as bytes, to be signed; nested percent-encoding packs well."""
        values = [self.id, self.next_url, self.language, list(self.acr), self.max_age, self.invitation]
        return zlib.compress(json.dumps(values, separators=(",", ":")).encode())

    @classmethod
    def unpack(cls, data: bytes) -> LoginState:
        """Read what `pack` made (and the hub signed)."""
        identifier, next_url, language, acr, max_age, *invitation = json.loads(zlib.decompress(data))
        return cls(identifier, next_url, language, tuple(acr), max_age, *invitation)

    def verifier(self, browser: str) -> str:
        """The PKCE code verifier of this login (RFC 7636 4.1)."""
        return _derived(browser, f"verifier {self.id}")

    def challenge(self, browser: str) -> str:
        """The PKCE code challenge, S256."""
        return _encoded(hashlib.sha256(self.verifier(browser).encode()).digest())

    def nonce(self, browser: str) -> str:
        """The nonce that the ID token of this login must hold."""
        return _derived(browser, f"nonce {self.id}")


class UsedStates:
    """Logins that ended, so that none ends twice; bounded, and gone with the process (a code is good once)."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._used: OrderedDict[str, None] = OrderedDict()

    def use(self, identifier: str) -> bool:
        """Mark a login as ended; False when it had ended before."""
        if identifier in self._used:
            return False
        self._used[identifier] = None
        while len(self._used) > self._limit:
            self._used.popitem(last=False)
        return True


def new_browser_secret() -> str:
    """Return a secret for a browser's cookie."""
    return secrets.token_urlsafe(32)


def _derived(secret: str, purpose: str) -> str:
    return _encoded(hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""A login that begins at one replica of the portal and ends at another.

JupyterHub's HubOAuth keeps in memory where a person wanted to go. Here that travels with her, encrypted and signed:
it also holds the PKCE verifier, which must not be read on the way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
import zlib
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jupyterhub.services.auth import HubOAuth

_NONCE = 12
_LONGEST = 64 * 1024


class LoginState:
    """Seals small dictionaries; replicas with the same secret open each other's."""

    def __init__(self, secret: bytes, seconds: float) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"jupytercloud login state", hashlib.sha256))
        self._seconds = seconds

    def seal(self, state: dict[str, Any]) -> str:
        """Return the state as URL-safe text."""
        plain = zlib.compress(json.dumps({**state, "t": time.time()}).encode(), 9)
        nonce = os.urandom(_NONCE)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, None)).decode().rstrip("=")

    def open(self, sealed: str) -> dict[str, Any]:
        """Return the state; empty for one that is too old, or was not made here."""
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            plain = self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], None)
            state: dict[str, Any] = json.loads(zlib.decompressobj().decompress(plain, _LONGEST))
        except (ValueError, InvalidTag, zlib.error):
            return {}
        return state if time.time() - state.pop("t", 0.0) < self._seconds else {}


class SharedHubOAuth(HubOAuth):
    """HubOAuth whose login state any replica can read. ``sealing`` is set right after it is made."""

    sealing: LoginState

    def generate_state(self, next_url: str | None = None, **extra_state: Any) -> str:
        """Return the state itself, sealed, where HubOAuth returns a key to what it keeps."""
        return self.sealing.seal({"next_url": next_url, **extra_state})

    def _decode_state(self, state_id: str, /) -> dict[str, Any]:
        return self.sealing.open(state_id)

    def clear_oauth_state(self, state_id: str) -> None:
        """Nothing is kept here: the cookie that goes with the state is cleared by the callback."""

"""The provider's public keys: fetched without blocking, kept, and asked for anew when a key is not known."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .errors import OidcError, ProviderMisconfigured, TokenRefused
from .http import ProviderClient

MAX_AGE = 3600.0  # seconds: a key that the provider withdrew is believed no longer than this
COOLDOWN = 2.0  # seconds between two requests for an unknown key during logins
COOLDOWN_UNASKED = 30.0  # the same for tokens that anybody can send us (back-channel logout)
MAX_KEYS = 100
MIN_RSA_BITS = 2048  # RFC 7518 3.3

_KTY = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}


def read_keys(document: Mapping[str, Any]) -> tuple[jwt.PyJWK, ...]:
    """Return the usable signature keys of a JWKS; shared secrets, encryption keys and weak keys are left out.

    Raises `ProviderMisconfigured` for what is not a JWKS.
    """
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ProviderMisconfigured("jwks-invalid", "no list of keys")
    keys = []
    for entry in entries[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("kty") not in {"RSA", "EC", "OKP"}:
            continue
        if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
            continue
        try:
            # Without "alg" PyJWK takes the usual one of the key's type; fits() decides which one counts.
            key = jwt.PyJWK({name: entry[name] for name in entry if name not in {"d", "p", "q", "dp", "dq", "qi"}})
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS:
            continue
        keys.append(key)
    return tuple(keys)


def fits(key: jwt.PyJWK, algorithm: str) -> bool:
    """Say whether a key may be used with an algorithm: its type, its curve, and its own ``alg`` when it has one."""
    data = key._jwk_data
    if data.get("kty") != _KTY.get(algorithm[:2]):
        return False
    if data.get("alg") not in (None, algorithm) and not (data.get("alg") == "Ed25519" and algorithm == "EdDSA"):
        return False
    return algorithm not in _CURVES or data.get("crv") == _CURVES[algorithm]


class KeySet:
    """The keys of one provider.

    An unknown ``kid`` leads to one request, and to no other one during the cooldown: a flood of invented kids
    does not reach the provider.
    """

    def __init__(
        self,
        client: ProviderClient,
        uri: Callable[[], Awaitable[str]],
        *,
        now: Callable[[], float] = time.monotonic,
        on_refresh: Callable[[str], None] | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        self._client = client
        self._uri = uri
        self._now = now
        self._on_refresh = on_refresh or (lambda outcome: None)
        self._log = log or logging.getLogger(__name__)
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._fetched: float | None = None
        self._tried: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None, algorithm: str, *, unasked: bool = False) -> jwt.PyJWK:
        """Return the key that a token's header names.

        ``unasked``: the token came from somebody whom we did not ask. Raises `TokenRefused` (key-unknown,
        key-ambiguous), or what fetching raises when there are no keys yet.
        """
        if self._fetched is None or self._now() - self._fetched > MAX_AGE:
            await self._refresh(COOLDOWN, demanded=self._fetched is None)
        found = self._find(kid, algorithm)
        if not found and await self._refresh(COOLDOWN_UNASKED if unasked else COOLDOWN):
            found = self._find(kid, algorithm)
        if not found:
            raise TokenRefused("key-unknown", "no key of the provider has the kid and algorithm of the token")
        if len(found) > 1:
            raise TokenRefused("key-ambiguous", "several keys of the provider fit the token")
        return found[0]

    def _find(self, kid: str | None, algorithm: str) -> list[jwt.PyJWK]:
        return [key for key in self._keys if fits(key, algorithm) and (kid is None or key.key_id == kid)]

    async def _refresh(self, cooldown: float, *, demanded: bool = False) -> bool:
        """Fetch the keys unless that was tried just now; say whether they are newer than when we came."""
        came = self._fetched
        async with self._lock:
            if self._fetched is not None and self._fetched != came:
                return True  # somebody fetched them while we waited
            if self._tried is not None and self._now() - self._tried < cooldown and not (demanded and not self._keys):
                return False
            self._tried = self._now()
            try:
                status, document = await self._client.json("jwks", "GET", await self._uri())
                if status != 200:
                    raise ProviderMisconfigured("jwks-invalid", f"status {status}")
                self._keys = read_keys(document)
            except OidcError as error:
                self._on_refresh("error")
                self._log.warning("the OpenID provider's keys can't be fetched: %s", error)
                if demanded:
                    raise
                return False
            self._fetched = self._now()
            self._on_refresh("ok")
            return True

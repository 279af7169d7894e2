"""The provider's own description (OpenID Connect Discovery 1.0): fetched when first needed, checked, kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...contracts.loopback import LOOPBACK
from .errors import OidcError, ProviderMisconfigured, ProviderUnavailable
from .http import ProviderClient

MAX_AGE = 3600.0  # seconds until it is asked for anew
COOLDOWN = 5.0  # seconds after a failure in which nobody asks again
DELAYS = (0.0, 0.3, 1.0)  # seconds before each try


@dataclass(frozen=True)
class ProviderMetadata:
    """What a provider says of itself, as far as a relying party needs it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    scopes: frozenset[str] | None = None
    """Scopes that it offers; None where it does not say."""
    claims_parameter: bool = False
    sends_issuer: bool = False
    """It puts ``iss`` into authorization responses (RFC 9207): one without is then refused."""


def is_allowed_url(url: str, issuer: str) -> bool:
    """Say whether an address of the provider may be used: https, or http where all is loopback."""
    parts, home = urlsplit(url), urlsplit(issuer)
    if not parts.hostname or parts.fragment or parts.username:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and home.scheme == "http" and parts.hostname in LOOPBACK and home.hostname in LOOPBACK


def read_metadata(document: Mapping[str, Any], issuer: str) -> ProviderMetadata:
    """Check a discovery document. Raises `ProviderMisconfigured`.

    ``issuer`` must stand in it letter for letter (Discovery 4.3): another provider's document would otherwise
    speak for this one.
    """
    if document.get("issuer") != issuer:
        raise ProviderMisconfigured("issuer-mismatch", "the discovery document names another issuer than configured")
    urls: dict[str, str] = {}
    for name in (
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "end_session_endpoint",
    ):
        value = document.get(name)
        if value is None and name in ("userinfo_endpoint", "end_session_endpoint"):
            continue
        if not isinstance(value, str) or not is_allowed_url(value, issuer):
            raise ProviderMisconfigured("discovery-invalid", f"{name} is missing or not an https address")
        urls[name] = value
    response_types = document.get("response_types_supported")
    if isinstance(response_types, list) and "code" not in response_types:
        raise ProviderMisconfigured("discovery-invalid", "the provider has no code flow")
    scopes = document.get("scopes_supported")
    return ProviderMetadata(
        issuer=issuer,
        scopes=frozenset(one for one in scopes if isinstance(one, str)) if isinstance(scopes, list) else None,
        claims_parameter=document.get("claims_parameter_supported") is True,
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        **urls,
    )


class Discovery:
    """The metadata of one issuer, asked for when somebody logs in and then kept for an hour.

    While the provider is away the last document stays in use; where there is none yet, one failure answers
    everybody for five seconds, so that a crowd at the door does not become a crowd at the provider.
    """

    def __init__(
        self,
        client: ProviderClient,
        issuer: str,
        *,
        now: Callable[[], float] = time.monotonic,
        log: logging.Logger | None = None,
    ) -> None:
        self._client = client
        self._issuer = issuer
        self._now = now
        self._log = log or logging.getLogger(__name__)
        self._kept: ProviderMetadata | None = None
        self._until = 0.0
        self._error: OidcError | None = None
        self._error_until = 0.0
        self._lock = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where the document is."""
        return f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"

    async def probe(self) -> None:
        """Ask the provider now, whatever is kept. Raises as `metadata` does."""
        status, document = await self._client.json("discovery", "GET", self.url)
        if status != 200:
            raise ProviderMisconfigured("discovery-invalid", f"status {status}")
        read_metadata(document, self._issuer)

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata. Raises `ProviderUnavailable` or `ProviderMisconfigured`."""
        if self._kept is not None and self._now() < self._until:
            return self._kept
        async with self._lock:
            if self._kept is not None and self._now() < self._until:
                return self._kept
            if self._error is not None and self._now() < self._error_until:
                raise self._error
            try:
                self._kept = await self._fetch()
            except OidcError as error:
                self._log.warning("the OpenID provider's discovery document can't be used: %s", error)
                if self._kept is None or isinstance(error, ProviderMisconfigured):
                    self._kept, self._error, self._error_until = None, error, self._now() + COOLDOWN
                    raise
                self._until = self._now() + COOLDOWN * 6
            else:
                self._error, self._until = None, self._now() + MAX_AGE
            return self._kept

    async def _fetch(self) -> ProviderMetadata:
        last: OidcError | None = None
        for delay in DELAYS:
            await asyncio.sleep(delay)
            try:
                status, document = await self._client.json("discovery", "GET", self.url)
            except ProviderUnavailable as error:
                last = error
                continue
            if status != 200:
                raise ProviderMisconfigured("discovery-invalid", f"status {status}")
            return read_metadata(document, self._issuer)
        assert last is not None
        raise last

"""The relying party: code flow, refresh and userinfo with one provider, all verified before it is believed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from .client import ClientCredentials
from .discovery import Discovery, ProviderMetadata
from .errors import GrantRefused, ProviderMisconfigured, TokenRefused
from .http import ProviderClient
from .jwks import KeySet
from .tokens import Expected, check_id_token, check_logout_token, read_signed

PROTOCOL_CLAIMS = frozenset(
    {
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "azp",
        "nonce",
        "acr",
        "amr",
        "auth_time",
        "at_hash",
        "c_hash",
        "sid",
        "jti",
    }
)
"""Claims that only the ID token may say; what userinfo says of them does not count."""


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    scope: tuple[str, ...] = ()
    expires_at: float | None = None
    """Seconds since the epoch at which the access token ends; None where the provider does not say."""


@dataclass(frozen=True)
class Verified:
    """A person as the provider vouches for her: tokens, and the claims of ID token and userinfo together."""

    tokens: Tokens
    claims: Mapping[str, Any] = field(repr=False)
    id_claims: Mapping[str, Any] = field(repr=False)

    @property
    def sub(self) -> str:
        """The subject, the same in ID token and userinfo."""
        return str(self.id_claims["sub"])


class RelyingParty:
    """This hub at one provider. Methods raise the errors of `oidc.errors`, never others."""

    def __init__(
        self,
        issuer: str,
        credentials: ClientCredentials,
        client: ProviderClient,
        *,
        algorithms: Sequence[str],
        trusted_audiences: frozenset[str] = frozenset(),
        now: Callable[[], float] = time.time,
        on_keys: Callable[[str], None] | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        self.issuer = issuer
        self.credentials = credentials
        self.client = client
        self.algorithms = tuple(algorithms)
        self.trusted_audiences = trusted_audiences
        self.now = now
        self.discovery = Discovery(client, issuer, log=log)
        self.keys = KeySet(client, self._jwks_uri, on_refresh=on_keys, log=log)

    async def metadata(self) -> ProviderMetadata:
        """Return what the provider says of itself."""
        return await self.discovery.metadata()

    async def _jwks_uri(self) -> str:
        return (await self.metadata()).jwks_uri

    def expected(self, **values: Any) -> Expected:
        """Return what tokens for this hub must say."""
        return Expected(self.issuer, self.credentials.client_id, trusted_audiences=self.trusted_audiences, **values)

    def check_response_issuer(self, metadata: ProviderMetadata, iss: str | None) -> None:
        """Refuse an authorization response of another provider (RFC 9207 2.4). Raises `TokenRefused`."""
        if iss is None and metadata.sends_issuer:
            raise TokenRefused("response-iss-missing", "the provider always names itself, and this answer does not")
        if iss is not None and iss != self.issuer:
            raise TokenRefused("response-iss", "the answer is of another provider")

    async def redeem(self, code: str, *, verifier: str, redirect_uri: str, **expected: Any) -> Verified:
        """Turn an authorization code into a verified person; ``expected`` are members of `Expected`."""
        metadata = await self.metadata()
        tokens = await self._grant(
            metadata,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            },
        )
        if tokens.id_token is None:
            raise TokenRefused("token-missing", "no ID token came")
        id_claims = await self._id_claims(tokens, expected)
        return await self._verified(metadata, tokens, id_claims)

    async def refresh(self, refresh_token: str, *, sub: str, id_claims: Mapping[str, Any]) -> Verified:
        """Use a refresh token; a new ID token must be about the same person (Core 12.2).

        Without a new one the claims of the old stay. A nonce is not asked for, since the request had none.
        """
        metadata = await self.metadata()
        tokens = await self._grant(metadata, {"grant_type": "refresh_token", "refresh_token": refresh_token})
        if tokens.refresh_token is None:  # the old one stays valid where no new one comes (RFC 6749 6)
            tokens = Tokens(**{**tokens.__dict__, "refresh_token": refresh_token})
        if tokens.id_token is not None:
            fresh = await self._id_claims(tokens, {"sub": sub})
            if "nonce" in fresh and fresh["nonce"] != id_claims.get("nonce"):
                raise TokenRefused("nonce", "the refreshed token was made for another login")
            if fresh.get("auth_time", id_claims.get("auth_time")) != id_claims.get("auth_time", fresh.get("auth_time")):
                raise TokenRefused("auth_time", "the refreshed token tells of another login")
            id_claims = fresh
        return await self._verified(metadata, tokens, id_claims)

    async def recheck(self, tokens: Tokens, id_claims: Mapping[str, Any]) -> Verified | None:
        """Ask for a person's claims anew with her access token; None when it is no longer good for that."""
        metadata = await self.metadata()
        if metadata.userinfo_endpoint is None:
            return None
        userinfo = await self._userinfo(metadata, tokens.access_token, str(id_claims["sub"]))
        return None if userinfo is None else Verified(tokens, _merged(id_claims, userinfo), id_claims)

    async def logout_claims(self, token: Any) -> dict[str, Any]:
        """Return the claims of a back-channel logout token that passed every check."""
        claims, _ = await read_signed(token, self.keys, self.algorithms, unasked=True)
        check_logout_token(claims, self.expected(), self.now())
        return claims

    async def _id_claims(self, tokens: Tokens, expected: Mapping[str, Any]) -> dict[str, Any]:
        claims, algorithm = await read_signed(tokens.id_token, self.keys, self.algorithms)
        check_id_token(claims, algorithm, self.expected(access_token=tokens.access_token, **expected), self.now())
        return claims

    async def _verified(self, metadata: ProviderMetadata, tokens: Tokens, id_claims: Mapping[str, Any]) -> Verified:
        if metadata.userinfo_endpoint is None:
            return Verified(tokens, dict(id_claims), id_claims)
        userinfo = await self._userinfo(metadata, tokens.access_token, str(id_claims["sub"]))
        if userinfo is None:
            raise TokenRefused("userinfo-refused", "the provider does not take the access token it gave")
        return Verified(tokens, _merged(id_claims, userinfo), id_claims)

    async def _userinfo(self, metadata: ProviderMetadata, access_token: str, sub: str) -> dict[str, Any] | None:
        assert metadata.userinfo_endpoint is not None
        status, userinfo = await self.client.json(
            "userinfo", "GET", metadata.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"}
        )
        if status in (400, 401, 403):
            return None
        if status != 200:
            raise ProviderMisconfigured("userinfo-invalid", f"status {status}")
        if userinfo.get("sub") != sub:  # Core 5.3.2: against a token that was swapped for another person's
            raise TokenRefused("userinfo-sub", "userinfo is about somebody else than the ID token")
        return userinfo

    async def _grant(self, metadata: ProviderMetadata, form: dict[str, str]) -> Tokens:
        form, headers = self.credentials.authenticate(form, metadata.token_endpoint)
        status, answer = await self.client.json("token", "POST", metadata.token_endpoint, headers=headers, form=form)
        if status != 200 or "error" in answer:
            error = answer.get("error")
            known = error if isinstance(error, str) and error.isascii() and len(error) < 60 else f"status {status}"
            raise GrantRefused(known)
        access_token, kind = answer.get("access_token"), answer.get("token_type")
        if not isinstance(access_token, str) or not access_token or not access_token.isascii():
            raise TokenRefused("token-missing", "no access token came")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise TokenRefused("token-type", "the access token is of a type that is not understood")
        return Tokens(
            access_token=access_token,
            refresh_token=_text(answer.get("refresh_token")),
            id_token=_text(answer.get("id_token")),
            scope=tuple((_text(answer.get("scope")) or "").split()),
            expires_at=self._expiry(answer.get("expires_in")),
        )

    def _expiry(self, expires_in: Any) -> float | None:
        try:
            return self.now() + min(float(expires_in), 1e9)
        except (TypeError, ValueError):
            return None


def authorization_url(endpoint: str, params: Mapping[str, str]) -> str:
    """Return the address to send a browser to; parameters that the endpoint has of its own stay."""
    parts = urlsplit(endpoint)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in params]
    return parts._replace(query=urlencode([*query, *params.items()])).geturl()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _merged(id_claims: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return all claims: userinfo's, which are the newer, but what only the ID token may say from it alone."""
    said = {name: value for name, value in userinfo.items() if name not in PROTOCOL_CLAIMS}
    return {**id_claims, **said}

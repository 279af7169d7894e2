"""Every check that a token must pass (OpenID Connect Core 3.1.3.7, 3.1.3.8; Back-Channel Logout 2.4, 2.6)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from .errors import TokenRefused
from .jwks import KeySet

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY = 60  # seconds by which the provider's clock may differ from ours
MAX_TOKEN_AGE = 600  # seconds since iat, for a token that was made for this very request
MAX_TOKEN_LENGTH = 64_000
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


@dataclass(frozen=True)
class Expected:
    """What a token must say. ``None`` asks for nothing."""

    issuer: str
    client_id: str
    nonce: str | None = None
    access_token: str | None = None
    sub: str | None = None
    acr: tuple[str, ...] = ()
    max_age: int | None = None
    """Seconds since the person proved who she is (``auth_time``)."""
    trusted_audiences: frozenset[str] = frozenset()


async def read_signed(
    token: Any, keys: KeySet, algorithms: Sequence[str], *, unasked: bool = False
) -> tuple[dict[str, Any], str]:
    """Return the claims of a token that the provider signed, and the algorithm. Raises `TokenRefused`.

    Nothing but header and signature is checked here.
    """
    if not isinstance(token, str) or not token or len(token) > MAX_TOKEN_LENGTH:
        raise TokenRefused("token-missing", "there is no token, or it is too long")
    if token.count(".") != 2:
        raise TokenRefused("token-unreadable", "not a signed JWT")
    try:
        # Only the header's part, to choose the key: the whole is read, and read as strictly, with the signature.
        header = jwt.get_unverified_header(f"{token.partition('.')[0]}..")
    except jwt.PyJWTError:
        raise TokenRefused("token-unreadable", "not a signed JWT") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in algorithms or algorithm not in ASYMMETRIC:
        raise TokenRefused("algorithm", f"{algorithm!r:.20} is not one of {', '.join(algorithms)}")
    if "crit" in header or "b64" in header:
        raise TokenRefused("header", "crit and b64 are not understood")
    if kid is not None and (not isinstance(kid, str) or len(kid) > 500):
        raise TokenRefused("header", "kid is not a text")
    key = await keys.key(kid, algorithm, unasked=unasked)
    try:
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            options={
                "verify_aud": False,
                "verify_iss": False,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.PyJWTError as error:
        if isinstance(error, jwt.DecodeError) and not isinstance(error, jwt.InvalidSignatureError):
            raise TokenRefused("token-unreadable", "not a signed JWT") from None
        raise TokenRefused("signature", "the signature is not the provider's") from None
    return claims, algorithm


def check_id_token(claims: Mapping[str, Any], algorithm: str, expected: Expected, now: float) -> None:
    """Refuse an ID token that is not for this hub, this login and this moment. Raises `TokenRefused`."""
    _check_issuer_and_audience(claims, expected)
    _check_times(claims, now)
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 0 < len(sub) <= 255:
        raise TokenRefused("sub", "sub is missing or not a text of at most 255 characters")
    if expected.sub is not None and sub != expected.sub:
        raise TokenRefused("sub-changed", "the token is about somebody else")
    if "events" in claims:
        raise TokenRefused("token-kind", "this is a logout token")
    if expected.nonce is not None and not _same(claims.get("nonce"), expected.nonce):
        raise TokenRefused("nonce", "the token was made for another login")
    access_token = expected.access_token if "at_hash" in claims else None
    if access_token is not None and not _same(claims["at_hash"], half_hash(access_token, algorithm)):
        raise TokenRefused("at_hash", "the access token is not the one that came with the ID token")
    if expected.acr and claims.get("acr") not in expected.acr:
        raise TokenRefused("acr", "the login was not as strong as asked for")
    if expected.max_age is not None:
        auth_time = _number(claims, "auth_time")
        if auth_time is None or now - auth_time > expected.max_age + LEEWAY or auth_time > now + LEEWAY:
            raise TokenRefused("auth_time", "the login is too long ago")


def check_logout_token(claims: Mapping[str, Any], expected: Expected, now: float) -> None:
    """Refuse what is not a back-channel logout token for this hub (2.4, 2.6). Raises `TokenRefused`."""
    _check_issuer_and_audience(claims, expected)
    _check_times(claims, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise TokenRefused("events", "the token does not say that it is a logout")
    if "nonce" in claims:
        raise TokenRefused("token-kind", "a logout token has no nonce")
    for name in ("sub", "sid", "jti"):
        if name in claims and (not isinstance(claims[name], str) or not 0 < len(claims[name]) <= 255):
            raise TokenRefused(name, f"{name} is not a text")
    if "jti" not in claims:
        raise TokenRefused("jti", "the token has no jti, by which a replay would be seen")
    if "sub" not in claims and "sid" not in claims:
        raise TokenRefused("sub", "neither sub nor sid is there")


def half_hash(value: str, algorithm: str) -> str:
    """Return ``at_hash`` of a value: the left half of its hash, base64url (Core 3.1.3.6); Ed25519 uses SHA-512."""
    digest = _HASHES.get(algorithm[2:], hashlib.sha512)(value.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _check_issuer_and_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("iss", "the token is of another issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise TokenRefused("aud", "the token is for another service")
    azp = claims.get("azp")
    if azp is not None and azp != expected.client_id:
        raise TokenRefused("azp", "the token was given to another service")
    others = [one for one in audiences if one != expected.client_id]
    if others and azp is None:
        raise TokenRefused("azp", "the token is for several services and does not say to whom it was given")
    if any(not isinstance(one, str) or one not in expected.trusted_audiences for one in others):
        raise TokenRefused("aud", "the token is for a service too that is not trusted")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, starts = (_number(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or expires <= now - LEEWAY:
        raise TokenRefused("exp", "the token has expired, or does not say when it does")
    if issued is None or issued > now + LEEWAY:
        raise TokenRefused("iat", "the token is from the future, or does not say from when it is")
    if issued < now - MAX_TOKEN_AGE:
        raise TokenRefused("iat", "the token was made too long ago")
    if ("nbf" in claims and starts is None) or (starts is not None and starts > now + LEEWAY):
        raise TokenRefused("nbf", "the token is not valid yet")


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _same(value: Any, expected: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(), expected.encode())

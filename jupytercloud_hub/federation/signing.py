"""Keys of sites, and the tokens that sign their heartbeats.

A heartbeat travels with ``Authorization: Bearer <JWT>`` (RFC 7519), signed with Ed25519 (EdDSA, RFC 8037):
``iss`` is the site, ``aud`` the portal's address, ``jti`` is used once, ``iat``/``exp`` are seconds apart, and
``body`` is the SHA-256 of the body, so that nothing of it can be kept and sent again, elsewhere or changed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ..contracts.heartbeat import TOKEN_LIFE
from ..contracts.text import Text

ALGORITHM = "EdDSA"
CLOCK_SKEW = 30.0
"""Seconds by which a site's clock may differ from the portal's."""
KEY_PREFIX = "ed25519:"
MAX_TOKEN = 4096

KEY_FILE = "site-key.pem"
"""A site's private key, in its state folder."""


class SignatureRefused(Exception):
    """A token that does not prove what it should; ``code`` is a stable word for metrics and for the site's log."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class KeyUnreadableError(ValueError):
    """What should be a key is none; ``text`` says so for people."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


@dataclass(frozen=True)
class SignedBy:
    """Who signed, with which token: ``expires`` is how long ``jti`` has to be remembered."""

    site: str
    jti: str
    expires: datetime


def private_key(pem: str) -> Ed25519PrivateKey:
    """Read a private key in PEM. Raises `KeyUnreadableError`."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnreadableError(Text("The private key is not a PEM file without a password.")) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnreadableError(Text("The private key is not an Ed25519 key."))
    return key


def new_key_pem() -> str:
    """Return a new private key in PEM."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def kept_key(path: Path) -> Ed25519PrivateKey:
    """Return the key kept in a file that only its owner reads; it is made when there is none."""
    try:
        return private_key(path.read_text())
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(new_key_pem())
    try:
        os.link(draft, path)  # of two processes that start at once, one wins
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return private_key(path.read_text())


def public_text(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """Return the public key as people copy it: ``ed25519:`` and 43 characters."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return KEY_PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def public_key(text: str) -> Ed25519PublicKey:
    """Read ``ed25519:…``. Raises `KeyUnreadableError`."""
    try:
        if not text.startswith(KEY_PREFIX) or len(text) != len(KEY_PREFIX) + 43:
            raise ValueError
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text[len(KEY_PREFIX) :] + "=", b"-_", validate=True))
    except ValueError:
        raise KeyUnreadableError(
            Text("A public key is written as jupytercloud sites key prints it: ed25519: and 43 characters.")
        ) from None


def key_id(public: str) -> str:
    """Return the short name of a public key, as audit trails and logs show it."""
    return hashlib.sha256(public.encode()).hexdigest()[:12]


def body_hash(body: bytes) -> str:
    """Return the hash of a body as it stands in a token."""
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")


def sign(key: Ed25519PrivateKey, *, site: str, audience: str, body: bytes, now: datetime) -> str:
    """Return the token for one body, sent once, soon."""
    issued = now.timestamp()
    claims = {
        "iss": site,
        "aud": audience,
        "iat": issued,
        "exp": issued + TOKEN_LIFE,
        "jti": secrets.token_urlsafe(16),
        "body": body_hash(body),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id(public_text(key))})


def claimed_site(token: str) -> str:
    """Return who a token says it is from, unproved. Raises `SignatureRefused`."""
    if len(token) > MAX_TOKEN:
        raise SignatureRefused("token-too-long")
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError:
        raise SignatureRefused("not-a-token") from None
    if not isinstance(issuer, str) or not issuer:
        raise SignatureRefused("no-issuer")
    return issuer


def verify(token: str, *, site: str, keys: Iterable[str], audience: str, body: bytes, now: datetime) -> SignedBy:
    """Prove that ``site`` signed ``body`` for us, just now. Raises `SignatureRefused`.

    That ``jti`` was not seen before is the caller's to find out, once everything else holds.
    """
    claims = _claims(token, site, keys, audience)
    issued, expires, seconds = claims["iat"], claims["exp"], now.timestamp()
    if not (isinstance(issued, int | float) and isinstance(expires, int | float)) or isinstance(issued, bool):
        raise SignatureRefused("bad-times")
    if not 0 < expires - issued <= TOKEN_LIFE + 1:
        raise SignatureRefused("lives-too-long")
    if not issued - CLOCK_SKEW <= seconds <= expires + CLOCK_SKEW:
        raise SignatureRefused("not-now")
    if not isinstance(claims["jti"], str) or not 8 <= len(claims["jti"]) <= 64:
        raise SignatureRefused("bad-jti")
    if not isinstance(claims["body"], str) or not secrets.compare_digest(
        claims["body"].encode(), body_hash(body).encode()
    ):
        raise SignatureRefused("another-body")
    return SignedBy(site, claims["jti"], datetime.fromtimestamp(expires + CLOCK_SKEW, tz=now.tzinfo))


def _claims(token: str, site: str, keys: Iterable[str], audience: str) -> dict[str, object]:
    known = False
    for key in keys:
        known = True
        try:
            return jwt.decode(
                token,
                public_key(key),
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=site,
                options={
                    "require": ["iss", "aud", "iat", "exp", "jti", "body"],
                    "verify_exp": False,  # the times are held against the injected clock, above
                    "verify_iat": False,
                    "verify_nbf": False,
                    "strict_aud": True,
                },
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidAudienceError:
            raise SignatureRefused("another-audience") from None
        except jwt.PyJWTError:
            raise SignatureRefused("bad-token") from None
    raise SignatureRefused("bad-signature" if known else "unknown-site")

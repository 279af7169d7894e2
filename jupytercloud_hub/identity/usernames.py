"""Usernames: how they are made from claims, and kept safe for file systems, pods, services and URLs."""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode

from jupytercloud_hub.contracts.text import Text

from .claims import Claims, malformed, missing, scoped
from .model import Subject

SCOPED = frozenset({"eppn", "unique_id", "subject_id"})
"""Identifiers whose scope the person's organization must own (a voperson_id's is the proxy's)."""

MAX_LENGTH = 64
_SAFE = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?")
_HASHED = re.compile(r".*--[0-9a-f]{16}")
_UNSAFE = re.compile(r"[^a-z0-9]+")


def safe(text: str) -> str:
    """Return ``text`` itself when it can name a folder, a pod and a URL, else a readable slug of it.

    Different texts give different names: a slug ends with 64 bits of the text's SHA-256, and a text that
    looks like a slug is made into one itself. Capitals make a text unsafe: JupyterHub would lower them.
    """
    if _SAFE.fullmatch(text) and ".." not in text and not _HASHED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    slug = _UNSAFE.sub("-", text.lower()).strip("-")[: MAX_LENGTH - 20].rstrip("-")
    return f"{slug or 'u'}--{digest}"


def identifier(claims: Claims, rule: str) -> tuple[str, str | None]:
    """Return the identifier that a rule names and its scope, lower case; the scope is None where it has none.

    Raises `Refused` when it did not come, or came in another shape.
    """
    value = claims.one(rule)
    if value is None:
        raise missing(claims.shown_name(rule))
    if rule not in SCOPED:
        return value, None
    parts = scoped(value)
    if parts is None or "@" in parts.scope or re.search(r"\s", value):
        raise malformed(claims.shown_name(rule), Text("it is not of the form name@organization"))
    return str(parts), parts.scope


def username(claims: Claims, rule: str, subject: Subject) -> tuple[str, str | None]:
    """Return the username that a rule makes, and the scope that the organization must own for it.

    Rules: ``hash`` (of issuer and sub), ``sub``, ``eppn-local`` (before the @), or an attribute's name.
    """
    if rule == "hash":
        digest = hashlib.sha256(f"{subject.issuer}\0{subject.sub}".encode()).digest()
        return "u-" + b32encode(digest).decode().lower()[:24], None
    if rule == "sub":
        return safe(subject.sub), None
    if rule == "eppn-local":
        value, scope = identifier(claims, "eppn")
        return safe(value.partition("@")[0]), scope
    value, scope = identifier(claims, rule)
    return safe(value), scope

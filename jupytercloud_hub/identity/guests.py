"""People whom no rule lets in, and who come in all the same: guests with an invitation, leavers for their files."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .claims import Claims
from .decision import Policy, decide, subject_of
from .institutions import any_matches
from .model import Identity, Subject
from .refusal import Refused

GUEST_REASONS = frozenset({"organization-unknown", "affiliation-not-accepted", "claim-missing"})
"""Refusals that an invitation overrules. A denied organization, a scope that is not owned or a login that is too weak
stay refused: a sponsor vouches for a person, not for what her organization may not say."""
PREFIX = "guest-"


def accepts(refused: Refused, raw: Mapping[str, Any], policy: Policy, idps: tuple[str, ...]) -> bool:
    """Say whether an invitation may let in a person whom the rules refuse; ``idps``: of which, empty for all."""
    if refused.reason not in GUEST_REASONS:
        return False
    if not idps:
        return True
    claims = Claims(raw, policy.claims)
    try:
        named = [one for one in (claims.one("idp"), claims.one("home_organization")) if one]
    except Refused:
        return False
    return any(any_matches(idps, one) for one in named)


def guest(
    raw: Mapping[str, Any],
    issuer: str,
    policy: Policy,
    *,
    groups: Iterable[str],
    ends_at: datetime,
    acr: str | None = None,
    language: str | None = None,
) -> Identity:
    """Return a guest's identity: subject, name and e-mail; nothing that her organization says of her rights counts.

    The username is made of issuer and sub, so no organization can lead a guest to somebody's account. Raises `Refused`
    for claims that cannot be read.
    """
    subject = subject_of(raw, issuer)
    claims = Claims(raw, policy.claims)
    parts = (claims.one("given_name"), claims.one("family_name"))
    return Identity(
        subject=subject,
        username=username_of(subject),
        person=f"{subject.issuer}#{subject.sub}",
        name=(claims.one("name") or " ".join(part for part in parts if part))[:200] or None,
        email=claims.one("email"),
        idp=claims.one("idp"),
        acr=acr,
        groups=tuple(sorted(set(groups))),
        language=language,
        kind="guest",
        ends_at=ends_at,
    )


def username_of(subject: Subject) -> str:
    """Return a guest's username, made of issuer and sub (120 bits of their hash)."""
    digest = hashlib.sha256(f"{subject.issuer}\0{subject.sub}".encode()).digest()
    return PREFIX + b32encode(digest).decode().lower()[:24]


def has_left(refused: Refused, policy: Policy, raw: Mapping[str, Any]) -> bool:
    """Say whether a refusal means that a person has no accepted affiliation any longer, and nothing else."""
    if refused.reason == "affiliation-not-accepted":
        return True
    return refused.reason == "claim-missing" and refused.attribute == Claims(raw, policy.claims).shown_name(
        "scoped_affiliation"
    )


def leaver(
    raw: Mapping[str, Any],
    issuer: str,
    policy: Policy,
    *,
    ends_at: datetime,
    acr: str | None = None,
    language: str | None = None,
) -> Identity:
    """Return the identity of a person who left: every rule but that of the affiliation holds; no groups, no roles.

    Raises `Refused`.
    """
    unasked = tuple(one.model_copy(update={"affiliations": (), "deny_affiliations": ()}) for one in policy.institutions)
    decision = decide(raw, issuer, policy.model_copy(update={"institutions": unasked}), acr=acr, language=language)
    without = {"groups": (), "roles": (), "affiliations": (), "scoped_affiliations": (), "entitlements": ()}
    return decision.unwrap().model_copy(update={**without, "kind": "leaver", "ends_at": ends_at})

"""Entitlements that carry group membership, as AARC-G069 writes them.

``urn:<NID>:<NSS>:group:<G>[:<sub>…][:role=<R>][#<authority>]``, with subgroups of any depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

_SHAPE = re.compile(
    r"urn:(?P<nid>[a-z0-9][a-z0-9-]{0,31}):(?P<nss>.+?):group:(?P<rest>[^#]*)(?:#(?P<authority>.*))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class GroupEntitlement:
    """One membership: ``path`` from the outermost group inwards, ``role`` and ``authority`` when given."""

    namespace: str
    """``<NID>:<NSS>`` in lower case: who defines the group (``geant:example.org``)."""
    path: tuple[str, ...]
    role: str | None = None
    authority: str | None = None

    @property
    def group(self) -> str:
        """The path as people write it: ``vo.example.org:project:team``."""
        return ":".join(self.path)


def parse(value: str) -> GroupEntitlement | None:
    """Read one entitlement; None for one that is not a group membership (another URN, a URL, …).

    URNs compare without regard to case before the group (RFC 8141); group names keep theirs.
    """
    match = _SHAPE.fullmatch(value)
    if not match:
        return None
    parts = match["rest"].split(":")
    role = None
    if len(parts) > 1 and parts[-1].startswith("role="):
        role = unquote(parts.pop()[len("role=") :])
        if not role:
            return None
    path = tuple(unquote(part) for part in parts)
    if not all(path) or any(part.startswith("role=") for part in parts):
        return None
    return GroupEntitlement(f"{match['nid']}:{match['nss']}".lower(), path, role, match["authority"] or None)


def holds(entitlements: Iterable[str], wanted: str) -> bool:
    """Say whether ``wanted`` is among the entitlements.

    A wanted group URN without authority or role is met by any authority and any role in that very group; a
    subgroup's member is not taken for a member of the group (G069 proxies state inherited membership).
    """
    want = parse(wanted)
    for value in entitlements:
        if value == wanted:
            return True
        have = parse(value) if want else None
        if (
            want
            and have
            and (have.namespace, have.path) == (want.namespace, want.path)
            and (want.role is None or want.role == have.role)
            and (want.authority is None or want.authority == have.authority)
        ):
            return True
    return False

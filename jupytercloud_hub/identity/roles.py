"""Names of JupyterHub roles that are made from what an organization says of a person.

JupyterHub takes ``[a-z0-9-._~]`` in a role's name, a letter first, a letter or digit last, 3 to 255 characters; an
entitlement is a URN. So what comes from claims is written with a prefix that says what it was, and every character
that a role cannot have as ``~`` and the two hexadecimal digits of each of its UTF-8 bytes. The mapping can be read
backwards: two different values never give one role.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

RoleSource = Literal["affiliation", "organization", "entitlement", "group"]
"""From what roles are made without a rule: ``affiliation.staff``, ``organization.univ.fr``, ``entitlement.…``,
``group.…`` (the path of an AARC-G069 group, ``:`` between its parts)."""

SOURCES: tuple[str, ...] = get_args(RoleSource)
OWN = frozenset({"user", "admin", "server", "token"})
"""JupyterHub's own roles: no rule gives them (administrators come from ``admins`` and ``admin_groups``)."""
MAX_LENGTH = 255
NAME = re.compile(r"[a-z][a-z0-9\-_~.]{1,253}[a-z0-9]")
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")


def role_name(source: RoleSource, value: str) -> str | None:
    """Return the role of a value; None where its name would be longer than JupyterHub takes."""
    written = "".join(one if one in _KEPT else _escaped(one) for one in value)
    if not value or written[-1] in "-._":
        written = written[:-1] + _escaped(written[-1]) if value else ""
    name = f"{source}.{written}"
    return name if written and len(name) <= MAX_LENGTH else None


def is_made(name: str) -> bool:
    """Say whether a name is one that `role_name` may give: no rule may give it too."""
    return name.partition(".")[0] in SOURCES and "." in name


def _escaped(character: str) -> str:
    return "".join(f"~{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))

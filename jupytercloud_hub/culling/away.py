"""Who has not been seen for long: reported, never acted on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .facts import parse


def gone_quiet(users: Iterable[Mapping[str, Any]], since: datetime) -> list[tuple[str, datetime]]:
    """Return (user, last seen) for users of the hub's REST API not seen since then, the longest away first.

    Who never came counts from the day the account was made; who has a running server is not away.
    """
    found = []
    for user in users:
        seen = user.get("last_activity") or user.get("created")
        if seen and not user.get("servers") and parse(seen) < since:
            found.append((str(user["name"]), parse(seen)))
    return sorted(found, key=lambda item: item[1])

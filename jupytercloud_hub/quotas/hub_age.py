"""Since when the hub's process runs, for a service that the hub did not start itself.

The hub tells when a server stopped; at its own return it tells that moment of all that died while it was away. Which of
both it is, follows from the hub's age: the process's start time in its metrics (scope ``read:metrics``).
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime

from ..hubapi import HubApi, HubApiError

log = logging.getLogger("jupytercloud.quotas")

METRICS_PATH = "metrics"
_START = re.compile(r"^process_start_time_seconds (\S+)$", re.M)


async def hub_began(hub: HubApi) -> datetime | None:
    """Return when the hub's process began; None where the hub does not tell (no scope, or not on Linux)."""
    try:
        answer = await hub.request("GET", METRICS_PATH)
    except HubApiError as error:
        log.warning("the hub does not tell its age (%s): what stopped meanwhile ends where it was last seen", error)
        return None
    found = _START.search(answer.text)
    try:
        return datetime.fromtimestamp(float(found.group(1)), UTC) if found else None
    except (ValueError, OverflowError, OSError):
        return None

"""What the engine holds and the hub knows nothing of: servers that were left behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...hubapi.client import HubApi, HubApiError
from ...spawners.sweep import orphans
from .look import Look

AREA = "orphans"
GRACE = timedelta(minutes=10)
"""A start may be under way, of which the hub does not tell yet."""
SHOWN = 5


async def look(at: Look) -> list[Finding]:
    """Return whether anything runs at the engine for which no server of the hub accounts."""
    settings = at.settings
    if settings.spawner is None or settings.site.role == "portal":
        return []
    if settings.spawner.backend == "kubernetes" and not settings.spawner.kubernetes.namespace:
        return []  # told by the area of the profiles
    if not at.token:
        return [at.unseen(AREA, Text("what was left behind at the engine was not looked at"))]
    from ..servers import engine_of, known_owners

    try:
        held = await engine_of(settings).held()
        async with HubApi(f"{at.hub}hub/api", at.token, timeout=4) as hub:
            known = await known_owners(hub)
    except HubApiError as error:
        what = Text("what was left behind at the engine was not looked at: {error}", error=str(error))
        return [Finding(AREA, "skipped", what, Text("Use a token with the scopes {scopes}.", scopes=SCOPES))]
    except Exception as error:  # each engine's client has errors of its own; the area of the profiles tells them
        what = Text("what was left behind at the engine was not looked at: {error}", error=type(error).__name__)
        return [Finding(AREA, "skipped", what, Text("Mend what is found about the profiles first."))]
    lost = orphans(held, known, datetime.now(UTC), GRACE)
    if not lost:
        return [Finding(AREA, "ok", Text("nothing runs at the engine that the hub does not know of"))]
    names = ", ".join(f"{one.name} ({one.user})" for one in lost[:SHOWN]) + (" …" if len(lost) > SHOWN else "")
    what = Text(
        "{count} servers run at the engine that the hub knows nothing of: {names}", count=len(lost), names=names
    )
    mend = Text("jupytercloud servers sweep --remove --config {file}", file=str(settings.file))
    why = Text("they hold memory and cores, and nobody's usage is counted")
    return [Finding(AREA, "warning", what, mend, why)]


SCOPES = "list:users, read:servers"

"""Names of services and scopes, and which of them a hub has: no such string stands twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from ..model import Settings

ServiceName = Literal["federation", "agent", "culler", "quotas", "events"]
FEDERATION: Final = "federation"
AGENT: Final = "agent"
CULLER: Final = "culler"
QUOTAS: Final = "quotas"
EVENTS: Final = "events"

HUB_CLIENT = "jupytercloud-hub"
"""The hub itself, as a client of its services."""

CHECK = "jupytercloud-check"
"""``jupytercloud check``, as a client of the hub."""
CHECK_TOKEN_FILE = "check_token"  # noqa: S105 - the file's name
"""Its token, in ``site.state``."""

CULL = "jupytercloud-cull"
"""``jupytercloud cull``, as a client of the hub."""
CULL_TOKEN_FILE = "cull_token"  # noqa: S105 - the file's name
"""Its token, in ``site.state``."""

ADMISSION_SCOPE = "custom:jupytercloud:admission"
STOPS_SCOPE = "custom:jupytercloud:stops"
CUSTOM_SCOPES = {
    STOPS_SCOPE: {"description": "Read which servers the quota service wants stopped (the culler)."},
    ADMISSION_SCOPE: {"description": "Ask the quota service whether a server may start (the hub itself)."},
}


def services(settings: Settings) -> list[ServiceName]:
    """Return the services that a hub of these settings runs, in the order in which they start."""
    wanted: list[tuple[ServiceName, bool]] = [
        (FEDERATION, settings.site.role == "portal"),
        (QUOTAS, settings.quotas is not None),
        (CULLER, settings.culling is not None),
        (EVENTS, settings.event is not None),
        (AGENT, settings.federation is not None and settings.federation.portal is not None),
    ]
    return [name for name, needed in wanted if needed]


def page_services(settings: Settings) -> list[ServiceName]:
    """Return those of the services that have pages for people."""
    return [name for name in services(settings) if name != AGENT]

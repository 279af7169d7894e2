"""What the federation service's API takes and gives, beside the contracts. The OpenAPI document is made from these."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, WithJsonSchema

from ..contracts.heartbeat import Notice
from ..contracts.limits import LimitsTold
from ..contracts.model import Model
from ..contracts.text import Localized
from ..contracts.units import Duration
from ..settings.federation import Failover
from ..settings.site import Address

Word = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Key = Annotated[str, Field(min_length=51, max_length=51, pattern=r"^ed25519:[A-Za-z0-9_-]{43}$")]


LONGEST = timedelta(days=365)
LASTS = {"type": "string", "pattern": r"^[1-9][0-9]{0,2} (s|min|h|d)$", "examples": ["90 s", "30 min", "2 h", "1 d"]}
ADDRESS = {
    "type": "string",
    "pattern": r"^https://[a-z][a-z0-9]{0,20}(\.[a-z][a-z0-9]{0,20}){1,4}/$",
    "examples": ["https://reims.example.fr/"],
    "description": "https; a path, ending in a slash, is allowed too.",
}
FAILOVER = {
    "anyOf": [
        {
            "type": "object",
            "properties": {"policy": {"enum": ["wait", "empty-home"]}},
            "required": ["policy"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "policy": {"const": "partner"},
                "partners": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
            "required": ["policy", "partners"],
            "additionalProperties": False,
        },
    ]
}


class Body(Model):
    """What is sent: no type is guessed."""

    model_config = ConfigDict(strict=True)


class Announcement(Body):
    """Drain or maintenance: what people are told, and until when. With neither end, until it is taken back."""

    message: Localized | None = None
    """What the operator says to people, in one or both languages."""
    until: AwareDatetime | None = None
    """End."""
    lasts: Annotated[Duration, WithJsonSchema(LASTS)] | None = None
    """Time until the end, such as ``2 h``."""
    reason: Reason = ""
    """For the audit trail."""

    def notice(self, now: datetime) -> Notice:
        """Return the notice; its end is the earlier of the two given, at most a year from now."""
        ends = [now + min(self.lasts, LONGEST)] if self.lasts is not None else []
        ends += [min(self.until, now + LONGEST)] if self.until is not None else []
        return Notice(message=self.message, until=max(now, min(ends)) if ends else None)


class SiteBody(Body):
    """A site to register, or what is to change about it."""

    url: Annotated[Address, WithJsonSchema(ADDRESS)]
    """Public address of the site's hub with its base path."""
    title: Localized | None = None
    """Name for people."""
    weight: float = Field(default=1.0, gt=0, le=1_000_000, allow_inf_nan=False)
    """Its places, as long as heartbeats do not tell the free ones."""
    profiles: tuple[Word, ...] = ()
    """Profiles that the site offers, as long as heartbeats do not tell them."""
    failover: Annotated[Failover, WithJsonSchema(FAILOVER)] | None = None
    """What happens to people at home here while the site is away."""
    operators: tuple[Word, ...] = ()
    """Users or ``group:NAME`` of the portal who may drain the site or announce maintenance."""
    reason: Reason = ""
    """For the audit trail."""


class HomeSiteBody(Body):
    """A person's home site, set by an operator."""

    site: Annotated[str, Field(min_length=1, max_length=64)]
    """The site's name; one that is not known is refused (400)."""
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
    """Why it is set or moved; shown to the person."""


class JoinBody(Body):
    """A site that brings its public key for the first time."""

    token: Annotated[str, Field(min_length=20, max_length=100, pattern=r"^[0-9a-f]+$")]
    """The join token, as ``jupytercloud sites add`` printed it at the portal."""
    key: Key
    """The site's public key."""


class KeyBody(Body):
    """A site's next public key."""

    key: Key
    """The new public key."""


class SiteStatus(Model):
    """A site as everybody may see it."""

    name: str
    """Short name."""
    title: Localized
    """Name for people."""
    url: str
    """Public address."""
    state: str
    """One of unknown, up, degraded, draining, maintenance, full, down."""
    reason: str
    """What was found, in the language of the request."""
    since: AwareDatetime | None
    """When the state began, as far as this portal knows."""
    message: Localized | None
    """What the site's operator says."""
    until: AwareDatetime | None
    """Announced end."""
    profiles: tuple[str, ...] | None
    """Profiles that the site offers; null: not known."""
    version: str | None
    """JupyterHub's version there."""
    heartbeat: AwareDatetime | None
    """When the last heartbeat was made."""


class TransitionItem(Model):
    """A site went into a state."""

    at: AwareDatetime
    """When."""
    state: str
    """Into which."""
    reason: str
    """Why, in English, as it was noted."""


class Status(Model):
    """The state of all sites."""

    time: AwareDatetime
    """When this was so."""
    sites: tuple[SiteStatus, ...]
    """The sites."""
    transitions: dict[str, tuple[TransitionItem, ...]] | None
    """Each site's last transitions within 90 days, at most 50, oldest first; null: the database is away."""


class SiteDetails(SiteStatus):
    """A site as its operator sees it."""

    registered: bool
    """Registered while the portal runs (true), or of the settings file (false)."""
    keys: tuple[str, ...]
    """Short names of the public keys that are good now."""
    running: int | None
    """Servers that run there, by the last heartbeat."""
    free: dict[str, int]
    """Free places by profile, ``*`` for the whole site."""
    operators: tuple[str, ...]
    """Who may drain it."""


class Explanation(Model):
    """Where somebody is sent, and why not elsewhere."""

    user: str
    """The portal's name of the person."""
    outcome: str
    """go, other-site, choose, not-allowed, unknown-site, no-profile, limited, away or none-left."""
    site: str | None
    """The site decided on."""
    home: str | None
    """The person's home site."""
    reason: str
    """Why, in the language of the request."""
    others: dict[str, str]
    """For each other site why it was not taken."""
    choices: tuple[str, ...]
    """Sites to choose from, best first."""
    sets_home: bool
    """Whether an ordinary visit now would make the site her home."""


class HomeSiteItem(Model):
    """One person's home site."""

    user: str | None
    """The portal's name of the person."""
    person: str | None
    """The identifier that is the same at every hub."""
    site: str
    """The site's name."""
    set_at: AwareDatetime
    """When it was set."""
    set_by: str
    """By whom: ``first visit``, or an operator."""
    reason: str
    """Why it was moved."""


class HomeSitePage(Model):
    """A page of home sites."""

    items: tuple[HomeSiteItem, ...]
    """The home sites."""
    next: str | None
    """What to give as ``after`` for the next page; null: this was the last."""


class SitePage(Model):
    """All sites as operators see them."""

    items: tuple[SiteDetails, ...]
    """The sites."""


class JoinToken(Model):
    """A join token, shown once."""

    token: str
    """The token."""
    expires: AwareDatetime
    """When it ends."""


class Joined(Model):
    """A site whose key the portal knows now."""

    site: str
    """Its name."""
    key: str
    """Short name of the key."""


class HeartbeatAnswer(Model):
    """How the portal shows the site after a heartbeat."""

    state: str
    """The site's state."""
    reason: str
    """What was found."""
    limits: LimitsTold | None = None
    """The limits over all sites, where the site asked for them and the portal tells them."""


class AuditEntry(Model):
    """Who did what, when, why."""

    at: AwareDatetime
    """When."""
    who: str
    """Who."""
    what: str
    """What: ``site put``, ``draining``, ``home-site move`` …"""
    target: str
    """What it was done to."""
    why: str
    """Why."""


class AuditPage(Model):
    """The newest entries of the audit trail."""

    items: tuple[AuditEntry, ...]
    """The entries, newest first."""


class ErrorDetail(Model):
    """What went wrong."""

    code: str
    """A stable word for programs."""
    message: str
    """What happened, in the language of the request."""
    detail: str
    """More of it."""


class Error(Model):
    """Any answer that is not a success."""

    error: ErrorDetail
    """What went wrong."""

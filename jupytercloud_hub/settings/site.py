"""``site:``, ``database:`` and ``privacy:``: what every hub has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from ..contracts.loopback import LOOPBACK
from ..contracts.model import Model
from ..contracts.text import Localized, Text
from ..contracts.units import Duration

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            Text("a name of small letters, digits and hyphens is expected, at most 42, such as paris-saclay")
        )
    return value


def _address(value: str) -> str:
    parts = urlsplit(value)
    local = parts.hostname in LOOPBACK
    plain = parts.hostname and parts.username is None and not parts.query and not parts.fragment
    if not plain or parts.scheme not in {"https", "http"}:
        raise ValueError(Text("an address such as https://hub.example.fr/ is expected"))
    if parts.scheme == "http" and not local:
        raise ValueError(Text("an address in https is expected; http is for this machine's own only"))
    return value if value.endswith("/") else f"{value}/"


def _timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(Text("a time zone such as Europe/Paris is expected"))
    return value


def _database(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if not (scheme == "sqlite" and len(rest) > 1 and rest[0] == "/") and not (
        scheme in {"postgresql", "postgresql+psycopg"} and rest
    ):
        raise ValueError(
            Text("sqlite:///state/jupytercloud.sqlite or postgresql://user@host/name, for instance, is expected")
        )
    return value


Name = Annotated[str, AfterValidator(_name)]
Address = Annotated[str, AfterValidator(_address)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]


class SiteSettings(Model):
    """The hub itself."""

    name: Name
    """Short name, also in labels and in the ledger: ``grenoble``."""
    role: Literal["portal", "site", "event"] = "site"
    """``portal`` sends people to sites and starts no servers; ``site`` starts servers; ``event`` is for a fair."""
    title: Localized | None = None
    """Name for people, in one or both languages; without it the short name is shown."""
    url: Address
    """Public address of the hub with its base path, ending in ``/``."""
    contact: str = ""
    """E-mail or web address that pages name when somebody needs help."""
    timezone: Annotated[str, AfterValidator(_timezone)] = "Europe/Paris"
    """Zone in which hours are read from this file and shown on pages."""
    state: Path = Path("state")
    """Folder for what a small hub keeps on disk (cookie secret, SQLite database, local homes)."""
    services: Literal["separate", "together", "external"] = "separate"
    """``separate``: the hub runs each service as a process of its own; ``together``: a small hub's in one process;
    ``external``: somebody else runs them, and tokens come as ``JUPYTERCLOUD_<NAME>_API_TOKEN``."""
    service_urls: dict[Literal["federation", "agent", "culler", "quotas", "events"], str] = Field(default_factory=dict)
    """Address of a service as the hub reaches it; without one, a free port of this machine."""

    cookie_host_prefix: bool = False
    """Cookies that no other host below the same domain can plant (``__Host-``): where the hub has its host for itself,
    over https, at the path ``/``."""
    wildcard: bool = False
    """Each person's server on a host of its own below the hub's, so that no page of one person's acts in another's
    session: where a wildcard name and certificate lead to the hub."""

    @model_validator(mode="after")
    def _host_of_its_own(self) -> Self:
        if self.cookie_host_prefix and not (self.origin.startswith("https:") and self.base_path == "/"):
            raise ValueError(Text("cookie_host_prefix needs a url in https whose path is /"))
        return self

    @property
    def base_path(self) -> str:
        """Path of the hub under its host, beginning and ending with ``/``."""
        return urlsplit(self.url).path

    @property
    def origin(self) -> str:
        """Scheme, host and port of the hub, without a path."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    def shown_title(self, language: str) -> str:
        """Return the name that people read."""
        return self.title.in_(language) if self.title else self.name


class DatabaseSettings(Model):
    """Where the parts keep what must survive a restart."""

    url: DatabaseUrl = "sqlite:///state/jupytercloud.sqlite"
    """SQLAlchemy address: ``sqlite:///path`` (relative to this file) or ``postgresql://user@host/name``."""
    password: Path | None = None
    """File that holds PostgreSQL's password; it is then left out of ``url``."""
    urls: dict[Literal["auth", "federation", "culling", "quotas", "events"], DatabaseUrl] = Field(default_factory=dict)
    """Another database for one part, where it must stand alone."""


class RetentionSettings(Model):
    """How long rows that name a person are kept."""

    sessions: Duration = Field(default="30 d", validate_default=True)
    """Logout and replay records of the authenticator."""
    routing: Duration = Field(default="365 d", validate_default=True)
    """Home sites of people who did not come back, and the audit trail; guests and emergency logins after their end."""
    culling: Duration = Field(default="30 d", validate_default=True)
    """Warnings and requests to keep a server."""
    usage: Duration = Field(default="730 d", validate_default=True)
    """Intervals of the usage ledger; totals stay, without names."""


class PrivacySettings(Model):
    """What is kept about people, for how long, and who answers for it."""

    retention: RetentionSettings = RetentionSettings()
    """How long rows that name a person are kept, for each part."""
    contact: str = ""
    """Data-protection officer, shown on the privacy page."""
    smallest_group: int = Field(default=5, ge=2)
    """Exports for councils show no group smaller than this."""

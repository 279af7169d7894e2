"""The whole of ``jupytercloud.yaml``: each part's section, put together."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field

from ..contracts.model import Model
from ..identity.institutions import Institution
from ..profiles.catalogue import Profiles
from .auth import AuthSettings
from .culling import CullingSettings
from .event import EventSettings
from .federation import FederationSettings
from .mail import MailSettings
from .quotas import QuotasSettings
from .shared import or_shared
from .site import DatabaseSettings, PrivacySettings, SiteSettings
from .spawner import SpawnerSettings


class Settings(Model):
    """A hub's configuration file."""

    site: SiteSettings
    """The hub itself: name, address, contact."""
    auth: AuthSettings | None = None
    """Federated login; without it the hub keeps the authenticator that ``jupyterhub_config.py`` sets."""
    institutions: tuple[Institution, ...] = ()
    """Home organizations whose people may come in, and what each may do."""
    profiles: Profiles = Field(default=(), json_schema_extra=or_shared)
    """What people can start."""
    spawner: SpawnerSettings | None = None
    """Where servers run: this machine, Docker Swarm or Kubernetes."""
    culling: CullingSettings | None = None
    """When idle servers are stopped."""
    quotas: QuotasSettings | None = None
    """Who may use how much."""
    federation: FederationSettings | None = None
    """The portal's sites, or this site's portal. A single hub has none."""
    event: EventSettings | None = None
    """A hub for a few days and for visitors without accounts: a fair, a class. Goes with ``role: event``."""
    mail: MailSettings | None = None
    """The server through which letters go. Without it nobody gets any."""
    privacy: PrivacySettings = PrivacySettings()
    """What is kept about people, and for how long."""
    database: DatabaseSettings = DatabaseSettings()
    """Where state is kept."""
    file: Path = Field(default=Path("jupytercloud.yaml"), exclude=True, json_schema_extra={"readOnly": True})
    """Where these settings were read from."""

    @cached_property
    def folder(self) -> Path:
        """The folder of the file: relative paths in it begin here."""
        return self.file.resolve().parent

    @cached_property
    def state_folder(self) -> Path:
        """The folder for what a small hub keeps on disk."""
        return self.folder / self.site.state

    @property
    def portal_url(self) -> str | None:
        """Address of the portal that this site belongs to; None for a single hub, and for the portal itself."""
        return self.federation.portal.url if self.federation and self.federation.portal else None

    def database_url(self, part: str) -> str:
        """Return the SQLAlchemy address of a part's database, with an absolute path for SQLite."""
        url = self.database.urls.get(part, self.database.url)  # type: ignore[call-overload]
        if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
            return f"sqlite:///{self.folder / url.removeprefix('sqlite:///')}"
        if self.database.password and url.startswith("postgresql"):
            return _with_password(url, (self.folder / self.database.password).read_text().strip())
        return str(url)


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    who, _, where = parts.netloc.rpartition("@")
    user = who.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{where}"))

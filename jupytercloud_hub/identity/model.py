"""What is known of a person once her claims were believed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from jupytercloud_hub.contracts.model import Model


class Subject(Model):
    """A person at one provider: the only pair that OpenID Connect promises never to give to somebody else."""

    issuer: str
    sub: str


class Identity(Model):
    """Who a person is here. Everything in it passed the rules of her organization."""

    subject: Subject
    username: str
    """The hub's name for her."""
    person: str | None = None
    """The identifier that is the same at every hub of the federation."""
    name: str | None = None
    email: str | None = None
    """For display and messages only; nothing is ever decided by it."""
    home_organization: str | None = None
    idp: str | None = None
    institution: str | None = None
    """The rule (``institutions:``) that let her in."""
    home_site: str | None = None
    affiliations: tuple[str, ...] = ()
    """eduPerson's words (``faculty``, ``student``…), of scopes that her organization owns."""
    scoped_affiliations: tuple[str, ...] = ()
    entitlements: tuple[str, ...] = ()
    assurance: tuple[str, ...] = ()
    acr: str | None = None
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Roles of JupyterHub that the rules give, without its own."""
    identifiers: dict[str, str] = Field(default_factory=dict)
    """All identifiers that came and are believed (``eppn``, ``unique_id``, ``voperson_id``)."""
    language: str | None = None
    kind: Literal["member", "guest", "leaver"] = "member"
    """A member was let in by a rule; a guest by an invitation; a leaver was, and may still fetch her files."""
    ends_at: datetime | None = None
    """When a guest's or a leaver's account ends."""

    @property
    def initials(self) -> str:
        """Two letters for her picture in JupyterLab; empty without a name."""
        words = [word for word in (self.name or "").split() if word[:1].isalpha()]
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()

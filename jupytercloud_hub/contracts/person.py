"""Who a person is to the services beside the hub: what HubOAuth shows of her, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Model

USER_INFO_KEY = "jupytercloud"
"""The member of JupyterHub's ``user_info`` under which the authenticator publishes a person."""


class Person(Model):
    """What routing, culling and quotas know of a person.

    ``person`` is the identifier that is the same at every hub of the federation (None where the provider
    gives none); ``username`` is this hub's own.
    """

    username: str
    person: str | None = None
    name: str | None = None
    home_organization: str | None = None
    affiliations: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    language: str | None = None
    admin: bool = False

    @classmethod
    def from_hub_user(cls, model: Mapping[str, Any]) -> Person:
        """Read a user model of JupyterHub's REST API; what is missing or of another shape is left out."""
        info = model.get("user_info") or {}
        published = info.get(USER_INFO_KEY)
        published = published if isinstance(published, Mapping) else {}

        def text(value: Any) -> str | None:
            return value if isinstance(value, str) and value else None

        affiliations = published.get("affiliations")
        return cls(
            username=model["name"],
            person=text(published.get("person")),
            name=text(info.get("name")),
            home_organization=text(published.get("home_organization")),
            affiliations=tuple(affiliations) if isinstance(affiliations, list | tuple) else (),
            groups=tuple(sorted(model.get("groups") or ())),
            language=text(published.get("language")),
            admin=bool(model.get("admin")),
        )

"""Who a person is to the services beside the hub: what HubOAuth shows of her, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import StrictBool

from .instant import Instant
from .model import Model

USER_INFO_KEY = "jupytercloud"
"""The member of JupyterHub's ``user_info`` under which the authenticator publishes a person."""

_MOMENTS = (datetime(1971, 1, 1, tzinfo=UTC).timestamp(), datetime(2199, 1, 1, tzinfo=UTC).timestamp())
"""Where `Instant` takes them."""


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
    entitlements: tuple[str, ...] = ()
    """Only those that a rule of the federation names: the authenticator publishes no others."""
    language: str | None = None
    admin: StrictBool = False
    mfa_until: Instant | None = None
    """Until when her login with two factors counts as one; None where she had none."""

    def is_strong(self, now: datetime | None) -> bool:
        """Say whether she logged in with two factors not too long before ``now`` (aware; None asks for no time)."""
        return self.mfa_until is not None and (now is None or now <= self.mfa_until)

    @classmethod
    def from_hub_user(cls, model: Mapping[str, Any]) -> Person:
        """Read a user model of JupyterHub's REST API; what is missing or of another shape is left out."""
        info = model.get("user_info") or {}
        published = info.get(USER_INFO_KEY)
        published = published if isinstance(published, Mapping) else {}

        def text(value: Any) -> str | None:
            return value if isinstance(value, str) and value else None

        def texts(value: Any) -> tuple[str, ...]:
            return tuple(value) if isinstance(value, list | tuple) else ()

        def moment(value: Any) -> datetime | None:
            known = isinstance(value, int | float) and not isinstance(value, bool) and _MOMENTS[0] < value < _MOMENTS[1]
            return datetime.fromtimestamp(value, UTC) if known else None

        return cls(
            username=model["name"],
            person=text(published.get("person")),
            name=text(info.get("name")),
            home_organization=text(published.get("home_organization")),
            affiliations=texts(published.get("affiliations")),
            entitlements=texts(published.get("entitlements")),
            groups=tuple(sorted(model.get("groups") or ())),
            language=text(published.get("language")),
            admin=bool(model.get("admin")),
            mfa_until=moment(published.get("mfa_until")),
        )

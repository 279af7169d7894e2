"""The made-up people, as the provider's `people.json` describes them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from jupytercloud_hub.demo.node import SOURCE


class Organization(BaseModel):
    """An organization that the provider's first page offers; `name` is its home organization claim."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: dict[str, str]


class MadeUpPerson(BaseModel):
    """Somebody to log in as."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    login: str
    password: str
    organization: str
    claims: dict[str, Any]
    acr: str | None = None
    amr: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """First and last name."""
        return str(self.claims["name"])

    @property
    def affiliations(self) -> frozenset[str]:
        """What she is at her organization: `faculty`, `student`…; the claim comes as a list or
        `;`-separated."""
        value = self.claims.get("eduperson_scoped_affiliation", [])
        values = value.split(";") if isinstance(value, str) else value
        return frozenset(v.split("@", 1)[0] for v in values)


def load() -> tuple[tuple[Organization, ...], tuple[MadeUpPerson, ...]]:
    """The five organizations and the dozen people."""
    data = json.loads((SOURCE / "people.json").read_text(encoding="utf-8"))
    return (
        tuple(Organization.model_validate(o) for o in data["organizations"]),
        tuple(MadeUpPerson.model_validate(p) for p in data["people"]),
    )

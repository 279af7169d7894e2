"""What the spawn form asks of the quota service: where a person's budgets stand, and what a server costs.

``POST api/v1/budgets`` with the hub's own token (the scope of admission), below the quota service's prefix. The hub
says whom it asks for as it knows her now: the service need not ask it back.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field

from .model import Model
from .person import Person
from .text import Language

BUDGETS_PATH = "api/v1/budgets"
"""Path of the endpoint below the quota service's prefix; POST."""


class BudgetsAsked(Model):
    """The question."""

    person: Person = Field(description="Whose form it is; accounts (person, groups, organization) follow from it.")
    language: Language = Field(default="fr", description="The language of the budgets' titles.")


class BudgetLeft(Model):
    """One limit of one budget."""

    model_config = ConfigDict(extra="ignore")

    title: str = Field(description="The budget in people's words, in the language that was asked for.")
    measure: Literal["units", "cpu_hours", "memory_hours", "gpu_hours"]
    hard: bool = Field(description="Whether it refuses starts when it is used up.")
    limit: float = Field(description="In `measure`, grants included.")
    left: float = Field(description="What is neither used nor promised to what runs.")
    resets: AwareDatetime = Field(description="When the calendar gives more.")


class BudgetsLeft(Model):
    """All of a person's budgets, and today's prices."""

    model_config = ConfigDict(extra="ignore")

    budgets: tuple[BudgetLeft, ...] = ()
    prices: dict[str, float] = Field(
        default_factory=dict, description="Units for an hour of a server, by profile as the catalogue has it, today."
    )

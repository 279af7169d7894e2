"""Whom the culler is to stop because another service says so (today: the quota service), and why.

The culler asks ``GET <service>/api/v1/stops`` at the start of each of its passes, with the custom scope
``custom:jupytercloud:stops`` (which the endpoint demands); the answer is a `StopList`.
It is a statement of what is so now, not a queue: the asking service repeats a request for as long as it
wants the server stopped and leaves it out as soon as it does not (somebody was granted more hours). Nothing
has to be acknowledged: that a server is gone is seen in the hub, by both sides.

What the culler promises in return:

1. A request is about one start of one server. A server started later under the same name is not touched.
2. Nothing is stopped before ``at``, nor sooner than ``culling.warn`` after the first pass that read the
   request; from that pass on the person is shown the reason and the instant.
3. "Keep it" is refused for such a server, with the reason.
4. A request that disappears withdraws the stop, and the server is again judged by the culling rules alone.
5. When the asking service does not answer, nothing new is stopped on its behalf in that pass.
"""

from __future__ import annotations

from pydantic import AwareDatetime, Field, field_validator

from .model import Model
from .text import LANGUAGES, Language

STOPS_PATH = "api/v1/stops"
"""Path of the endpoint below the asking service's prefix."""


class StopRequest(Model):
    """One start of one server that is to be stopped."""

    user: str = Field(min_length=1, description="JupyterHub's username of the owner.")
    server: str = Field(default="", description="JupyterHub's server name; empty for the default server.")
    started: AwareDatetime = Field(
        description="When the start in question began, as JupyterHub's REST API gives it (`started`)."
    )
    at: AwareDatetime = Field(description="The instant before which nothing is stopped; a grace is already counted in.")
    rule: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="Name of the rule that asks, as the operator gave it in the settings (a budget's name).",
    )
    reason: dict[Language, str] = Field(
        description="What the person is told, one or two whole sentences, in French and in English."
    )

    @field_validator("reason")
    @classmethod
    def _in_both_languages(cls, value: dict[Language, str]) -> dict[Language, str]:
        missing = [language for language in LANGUAGES if not value.get(language, "").strip()]
        if missing:
            raise ValueError(f"a reason is needed in {' and '.join(missing)} too")
        return value


class StopList(Model):
    """The answer to ``GET api/v1/stops``: everything that is to be stopped, now or at a known instant."""

    generated: AwareDatetime = Field(
        description="When the list was made; the culler ignores one that is older than ten minutes."
    )
    stops: tuple[StopRequest, ...] = ()

    @field_validator("stops")
    @classmethod
    def _each_start_once(cls, value: tuple[StopRequest, ...]) -> tuple[StopRequest, ...]:
        seen: set[tuple[str, str, str]] = set()
        for stop in value:
            key = (stop.user, stop.server, stop.started.isoformat())
            if key in seen:
                raise ValueError(f"{stop.user}/{stop.server} is asked for twice; send the earlier `at` only")
            seen.add(key)
        return value

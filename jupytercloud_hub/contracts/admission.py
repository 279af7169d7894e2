"""The spawner's question to the quota service, and the answer: may this server start, and is its place held?

One start is named by its `StartKey`, and every message about it carries the key. The exchange:

1. **reserve** before the start, with the resolved record. Admitted: a place is held until ``expires``.
   Refused: nothing is held, and ``message`` says why in the person's language.
2. **confirm** once the server answers: the place becomes a running interval, counted from ``started``.
3. **release** when the start failed or the server has stopped: a place is given back uncounted, a running
   interval is closed at ``ended``.

Promises of the service:

1. Every message may be sent twice; the second has no effect and gets the same answer.
2. Two reserves at once never both take what is enough for one.
3. A place whose confirm never comes is given back at ``expires``, unless the hub says that the server is
   starting or runs.
4. A release of what was never held, or was released before, changes nothing and is no error.
5. An answer takes at most 500 ms; who hears nothing by then applies ``quotas.when_unavailable``, and the
   service finds out from the hub what was started meanwhile.

A refusal is an answer (HTTP 200, ``verdict: refused``), not an error. 400 a message of another shape, 422 one that
makes no sense (of another hub, for another person), 403 no scope, 409 a confirm of a start that is closed already or
was never reserved, 503 the ledger is away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from .instant import Instant
from .model import Model
from .person import Person
from .server_record import ServerRecord

ADMISSION_PATH = "api/v1/admission"
"""Path of the endpoint below the quota service's prefix; POST."""

ADMISSION_SCOPE = "custom:jupytercloud:admission"
"""The scope that a caller's token needs; only the hub's own token has it."""

ADMISSION_SECONDS = 0.5
"""How long the spawner waits for an answer."""


class StartKey(Model):
    """One start of one server, the key of its interval in the ledger."""

    hub: str = Field(min_length=1, max_length=63, description="`site.name` of the hub.")
    user: str = Field(min_length=1, max_length=255, description="JupyterHub's username.")
    server: str = Field(default="", max_length=255, description="JupyterHub's server name; empty for the default one.")
    started: Instant = Field(
        description="JupyterHub's `started` of this start (`spawner.orm_spawner.started`, naive UTC there; "
        "set before `pre_spawn_hook` runs, cleared before `post_stop_hook`)."
    )

    @classmethod
    def of(cls, hub: str, user: str, server: str, started: datetime) -> StartKey:
        """Make a key from what the hub's database holds: a naive ``started`` is in UTC."""
        aware = started if started.tzinfo else started.replace(tzinfo=UTC)
        return cls(hub=hub, user=user, server=server, started=aware)


def _tagged(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that a message names its action; in Python it is filled in."""
    schema["required"] = ["action", *schema.get("required", ())]


class _Message(Model):
    model_config = ConfigDict(json_schema_extra=_tagged)


class Reserve(_Message):
    """May this server start? If so, hold its place."""

    action: Literal["reserve"] = "reserve"
    key: StartKey
    person: Person = Field(description="Whose server it is; accounts (person, groups, organization) follow from it.")
    record: ServerRecord
    language: Literal["fr", "en"] = Field(default="fr", description="The language of the answer's words.")


class Confirm(_Message):
    """The server runs: count it."""

    action: Literal["confirm"] = "confirm"
    key: StartKey


class Release(_Message):
    """The start failed, or the server stopped."""

    action: Literal["release"] = "release"
    key: StartKey
    ended: Instant | None = Field(default=None, description="When it stopped; now where left out.")
    ran: bool = Field(
        default=False, description="Whether the server ran: a place whose confirm was lost is then counted."
    )


AdmissionRequest = Annotated[Reserve | Confirm | Release, Field(discriminator="action")]
"""The body of ``POST api/v1/admission``."""

admission_request: TypeAdapter[Reserve | Confirm | Release] = TypeAdapter(AdmissionRequest)


class Refusal(Model):
    """Why a reserve was refused, for programs; people read `AdmissionAnswer.message`."""

    rule: str = Field(description="Name of the budget that refuses.")
    account: Literal["person", "group", "organization", "hub"]
    name: str = Field(description="Whose budget: a username, a group, an organization, a hub.")
    measure: Literal["units", "cpu_hours", "memory_hours", "gpu_hours", "servers", "cpu", "gpu"]
    limit: float = Field(description="What the budget allows, in `measure`.")
    used: float = Field(description="What is used or held of it.")
    asked: float = Field(description="What this start would take at once.")
    resets: Instant | None = Field(
        default=None, description="When there is more by the calendar; None: it never resets."
    )


class AdmissionAnswer(Model):
    """What the service says to a reserve, a confirm or a release."""

    verdict: Literal["admitted", "refused", "confirmed", "released"]
    expires: Instant | None = Field(default=None, description="Until when an admitted place waits for its confirm.")
    message: str | None = Field(
        default=None,
        description="Whole sentences for the person, in her language: a refusal's, or a warning's.",
    )
    refusal: Refusal | None = None

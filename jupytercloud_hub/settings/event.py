"""The section ``event:`` of the settings: a hub for a few days and for visitors without accounts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from ..contracts.model import Model
from ..contracts.text import Text
from ..contracts.units import Duration
from ..identity.institutions import Texts
from .culling import Clock
from .secrets import Secret

DAY = timedelta(days=1)


class DayHours(Model):
    """The hours of each day, on the clock of ``site.timezone``."""

    from_hour: Clock
    """First minute at which visitors come in, such as "10:00"."""
    to_hour: Clock
    """First minute at which the hub is closed again, such as "19:00"."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_hour <= self.from_hour:
            raise ValueError(Text("to_hour has to be later than from_hour"))
        return self


class GuessSettings(Model):
    """How many wrong codes are looked up; what is beyond waits a few seconds and is then tried by itself."""

    address_burst: int = Field(default=60, ge=1)
    """Wrong codes of one address at once: a fair's visitors share one."""
    address_rate: float = Field(default=5.0, gt=0)
    """Wrong codes of one address per second."""
    burst: int = Field(default=600, ge=1)
    """Wrong codes of all addresses at once."""
    rate: float = Field(default=50.0, gt=0)
    """Wrong codes of all addresses per second."""


class ConnectionLogSettings(Model):
    """Which code opened which seat when, and from which address: for those whom the law asks for it."""

    keep: Duration = Field(default="365 d", validate_default=True)
    """How long each day is kept; the purge of the event leaves it until then."""


class EventStaff(Model):
    """People who run the event, of those that the login's rules let in."""

    groups: Texts = ()
    """Groups that the rules of ``auth:`` and ``institutions:`` give."""
    usernames: Texts = ()
    """Usernames, as ``auth.username`` makes them."""


class EventLogin(Model):
    """A federated login beside the code. Goes with ``auth:`` and ``institutions:``; only a keyed hash of it is kept."""

    organizers: EventStaff = EventStaff()
    """Who has the board."""
    helpers: EventStaff = EventStaff()
    """Who sees the board and answers calls."""
    visitors: int = Field(default=0, ge=0)
    """Other people who may come in by login, each with a seat of her own as by a code; 0 for none."""


class EventSettings(Model):
    """An event: when, for how many, with what."""

    opens: AwareDatetime
    """When the first visitors come in, with its zone: "2027-03-06T10:00+01:00"."""
    closes: AwareDatetime
    """When the last visitors have to end, with its zone."""
    hours: DayHours | None = None
    """Hours of each day; without them the hub is open from ``opens`` to ``closes`` without a break."""
    seats: Annotated[int, Field(ge=1, le=2000)]
    """Visitors at a time; each has a server."""
    profile: str
    """Profile that is started for each visitor."""
    warm: int = Field(default=20, ge=0, le=2000)
    """Seats without a visitor that stand ready during the hours."""
    warm_before: Duration = Field(default="30 min", validate_default=True)
    """How long before the doors open seats are started."""
    starts_at_once: int = Field(default=4, ge=1, le=100)
    """Servers that are started at a time."""
    notice: Duration = Field(default="10 min", validate_default=True)
    """How long before the end visitors are told on their screens."""
    codes: Path = Path("codes.hashed")
    """File with the hashes of the codes, as ``jupytercloud event create`` writes it."""
    code_key: Secret
    """Key of these hashes."""
    open_code_cap: int = Field(default=0, ge=0)
    """Visitors that may come in by the one open code, each with a code of her own from then on."""
    login: EventLogin | None = None
    """A federated login beside the code; without this section there is none."""
    guesses: GuessSettings = GuessSettings()
    """How fast codes can be tried."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of proxies in front of the hub, whose word on a visitor's address is believed."""
    links: Duration = Field(default="7 d", validate_default=True)
    """How long after the end visitors get their work by their code; then everything is purged."""
    engines: tuple[Annotated[str, Field(pattern=r"^(unix|tcp)://.+")], ...] = ()
    """Docker engines of a Swarm's machines, for the purge of homes that are volumes: ``tcp://tasks.engines:2375``.

    A name stands for all of its addresses. Without any, that of ``DOCKER_HOST`` alone is asked.
    """
    proxy_url: str = Field(default="", pattern=r"^(https?://.+)?$")
    """Where services and visitors' servers reach the proxy, such as ``http://127.0.0.1:8000``; ``site.url`` otherwise.

    On engines, visitors' work is read through it before servers stop, and messages reach their screens.
    """
    connection_log: ConnectionLogSettings | None = None
    """Keeps a connection log; without this section there is none."""
    buttons: str = Field(default="", pattern=r"^([^/\\].*)?$")
    """Page of a server with the exercise by buttons, for telephones: ``voila/render/exercice-salon.ipynb``."""
    first_view: Literal["profile", "buttons", "device"] = "profile"
    """What opens first: the profile's own page, the buttons, or the buttons on telephones alone."""
    fictitious_data: bool = False
    """Whether what visitors see is made-up data: pages and poster say so."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError(Text("closes has to be later than opens"))
        if self.first_view != "profile" and not self.buttons:
            raise ValueError(Text("first_view needs the page with buttons: name it in buttons"))
        if self.links > 90 * DAY:
            raise ValueError(Text("at most 90 days: visitors' work is not kept longer"))
        return self

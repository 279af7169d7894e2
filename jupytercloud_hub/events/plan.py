"""Whether an event can work at all: what is asked for beside what there is, with figures. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..contracts.text import Text
from ..contracts.units import format_bytes
from ..profiles.catalogue import Catalogue
from ..settings.event import EventSettings
from .hours import windows

LONGEST = timedelta(days=31)
HUB_MEMORY = 1024**3
"""Left to the hub, its services and the machine."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the event meets."""

    now: datetime
    zone: ZoneInfo
    memory: int | None
    """Bytes that the backend has for servers; None where nobody said."""
    backend: str
    public: bool
    """Whether the address can be reached by visitors' telephones: not this machine's own."""
    fictitious_data_confirmed: bool
    lent_backend: str = ""
    """Backend of the site that lends its engine; empty where nobody asked."""
    made_up_profiles: frozenset[str] = frozenset()


def refusals(event: EventSettings, codes: int, catalogue: Catalogue, facts: Facts) -> Iterator[Text]:
    """Yield every reason for which the event can't work, each with its figures."""
    yield from _dates(event, facts)
    profile = catalogue.get(event.profile)
    if profile is None:
        known = ", ".join(one.name for one in catalogue) or "-"
        yield Text("the profile {name} is unknown; the catalogue has: {known}", name=event.profile, known=known)
    else:
        yield from _memory(event, int(profile.resources.memory.amount or 0), facts)
    if event.profile in facts.made_up_profiles and not facts.fictitious_data_confirmed:
        yield Text(
            "the profile {name} shows made-up data; say --fictitious-data, and poster and pages will say so too",
            name=event.profile,
        )
    if codes and codes < event.seats:
        yield Text("{codes} codes for {seats} seats: seats would stay empty", codes=codes, seats=event.seats)
    if facts.backend != "local" and facts.lent_backend not in ("", facts.backend):
        yield Text(
            "the site runs its servers on {lent}, and the event is to run on {backend}: give its own --site",
            lent=facts.lent_backend, backend=facts.backend,
        )  # fmt: skip
    if not facts.public and facts.backend != "local":
        yield Text("a host name is missing: visitors need an address in https, such as --url https://salon.example.fr/")


def _dates(event: EventSettings, facts: Facts) -> Iterator[Text]:
    opens, closes = (moment.astimezone(facts.zone) for moment in (event.opens, event.closes))
    if closes <= facts.now:
        ended = closes.isoformat(timespec="minutes")
        yield Text("the event would have ended at {ended}, and it is {now}", ended=ended, now=_minute(facts))
    elif opens < facts.now - timedelta(minutes=1):
        began = opens.isoformat(timespec="minutes")
        yield Text("the event would have begun at {began}, and it is {now}", began=began, now=_minute(facts))
    if closes - opens > LONGEST:
        yield Text(
            "from {opens} to {closes} are {days} days; an event has at most {most}",
            opens=opens.date(), closes=closes.date(), days=(closes - opens).days, most=LONGEST.days,
        )  # fmt: skip
    if not windows(event, facts.zone):
        yield Text("the hours of the day leave nothing between {opens} and {closes}", opens=opens, closes=closes)


def _minute(facts: Facts) -> str:
    return facts.now.astimezone(facts.zone).isoformat(timespec="minutes")


def _memory(event: EventSettings, each: int, facts: Facts) -> Iterator[Text]:
    if not each:
        yield Text("the profile {name} says no memory: how many seats fit can't be known", name=event.profile)
        return
    if facts.memory is None:
        yield Text(
            "what the backend {backend} has is not known here: say --memory, such as --memory '256 GiB'",
            backend=facts.backend,
        )
        return
    needed, free = event.seats * each, max(0, facts.memory - HUB_MEMORY)
    if needed > free:
        yield Text(
            "{seats} seats × {each} = {needed}, and the backend has {free} for them ({memory} without {hub} for the "
            "hub): {fit} seats fit",
            seats=event.seats, each=format_bytes(each), needed=format_bytes(needed), free=format_bytes(free),
            memory=format_bytes(facts.memory), hub=format_bytes(HUB_MEMORY), fit=free // each,
        )  # fmt: skip

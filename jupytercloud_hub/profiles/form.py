"""The spawn form's view model, and how what it posts is read. What a page looks like is not known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..contracts.person import Person
from ..contracts.text import LANGUAGES, Localized, Text
from ..contracts.units import format_duration
from . import features
from .access import hidden, refusal
from .catalogue import Catalogue, Profile
from .options import Option
from .places import NOTHING_KNOWN, FreePlaces
from .refusal import Refused
from .resolve import why_not
from .resources import Capabilities

PREFIX = "option-"
OWNER = "@"
"""``option-size@big-memory``: a form posts the fields of all profiles; two may have an option ``size``."""


@dataclass(frozen=True)
class Question:
    """One option of one profile as the form asks it."""

    option: Option
    posted: str
    """The field's name: ``option-<name>``, with its profile where another one has an option of that name."""


@dataclass(frozen=True)
class CardPlan:
    """What does not change from person to person."""

    profile: Profile
    facts: tuple[Text, ...]
    questions: tuple[Question, ...]
    lacking: tuple[Text, ...] = ()
    """What of it is not as written at this site, where a person would look for it in vain."""


@dataclass(frozen=True)
class Card:
    """One profile as this person meets it."""

    plan: CardPlan
    refusal: Text | None = None
    """Why it is greyed; None where it can be chosen."""
    checked: bool = False
    values: Mapping[str, str] | None = None
    """Answers to begin with, by option name; the options' own where None."""
    free: int | None = None
    """How many more servers of it fit at the moment; None where nobody knows."""
    price: float | None = None
    """Units for an hour, without options; None where nobody counts."""
    step_up: bool = False
    """It is greyed, and would not be after a login with two factors."""

    def value(self, option: Option) -> str:
        """Return what the option's field holds when the form opens."""
        return (self.values or {}).get(option.name) or option.initial or ""


@dataclass(frozen=True)
class Section:
    """Profiles under one heading; the first section may have none."""

    title: Localized | None
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Form:
    """The whole form for one person."""

    sections: tuple[Section, ...]
    notes: tuple[Text, ...]
    """Sentences below it, about the site."""

    @property
    def startable(self) -> bool:
        """Whether there is anything that she can start."""
        return any(card.refusal is None for section in self.sections for card in section.cards)


class FormPlan:
    """The form of a catalogue at a site, worked out once; `for_person` adds who looks at it."""

    def __init__(self, catalogue: Catalogue, capabilities: Capabilities) -> None:
        self.catalogue = catalogue
        self.capabilities = capabilities
        owners: dict[str, list[str]] = {}
        for profile in catalogue:
            for option in profile.options:
                owners.setdefault(option.name, []).append(profile.name)
        self._owners = owners
        sections: dict[Localized | None, list[CardPlan]] = {}
        for profile in catalogue:
            sections.setdefault(profile.section, []).append(self._card(profile))
        self._sections = tuple((title, tuple(cards)) for title, cards in sections.items())
        self._notes = _notes(capabilities)

    def _card(self, profile: Profile) -> CardPlan:
        questions = tuple(Question(option, self.posted_name(profile.name, option.name)) for option in profile.options)
        lacking = tuple(lack.text for lack in features.lacking(profile, self.capabilities.backend) if lack.for_people)
        return CardPlan(profile, _facts(profile), questions, lacking)

    def posted_name(self, profile: str, option: str) -> str:
        """Return the name of an option's field."""
        shared = len(self._owners.get(option, ())) > 1
        return f"{PREFIX}{option}{OWNER}{profile}" if shared else f"{PREFIX}{option}"

    def for_person(
        self,
        person: Person,
        last: object = None,
        now: datetime | None = None,
        free: FreePlaces = NOTHING_KNOWN,
        prices: Mapping[str, float] | None = None,
    ) -> Form:
        """Return the form as a person meets it.

        ``last`` are the user options of her last start, or what a link asks for. What of them does not exist
        any more, or is not for her, is left out; the rest is chosen beforehand and judged again at the start.
        """
        wanted, values = _asked(last)
        reasons: dict[str, Text | None] = {}
        step_up: set[str] = set()
        for profile in self.catalogue:
            if hidden(profile.access) and refusal(profile.access, person, self.capabilities.site):
                continue
            no = why_not(profile, person, self.capabilities, now)
            reasons[profile.name] = no.text if no else None
            if no is not None and no.reason == "mfa":
                step_up.add(profile.name)
        checked = self._checked(wanted, reasons)
        sections = []
        for title, plans in self._sections:
            cards = tuple(
                Card(
                    plan,
                    reasons[plan.profile.name],
                    plan.profile.name == checked,
                    _still_accepted(plan.profile, values) if plan.profile.name == wanted else None,
                    free.of(plan.profile.name),
                    (prices or {}).get(plan.profile.name),
                    plan.profile.name in step_up,
                )
                for plan in plans
                if plan.profile.name in reasons
            )
            if cards:
                sections.append(Section(title, cards))
        return Form(tuple(sections), self._notes)

    def _checked(self, wanted: str | None, reasons: Mapping[str, Text | None]) -> str | None:
        free = [name for name, reason in reasons.items() if reason is None]
        default = self.catalogue.default
        for name in (wanted, default.name if default else None):
            if name in free:
                return name
        return free[0] if free else None

    def read(self, posted: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Return user options from what the form posts (``profile=…``, ``option-<name>=…``; lists of texts).

        Fields of the profiles that were not chosen come too, since all of them stand in one form: they are
        left out. A field that no profile has stays in, so that it is refused where all choices are judged.
        Raises `Refused` where no profile was chosen.
        """
        profiles = [name for name in posted.get("profile", ()) if name]
        if len(profiles) != 1 or not isinstance(profiles[0], str):
            raise Refused(Text("Please choose a profile."), reason="profile")
        chosen = profiles[0]
        options: dict[str, str] = {}
        for field, entries in posted.items():
            if not field.startswith(PREFIX) or not entries or not isinstance(entries[-1], str):
                continue
            name, at, owner = field[len(PREFIX) :].partition(OWNER)
            owners = self._owners.get(name, [])
            own = chosen in owners
            if at and owner != chosen and owner in owners:
                continue
            if not at and not own and owners:
                continue
            if at or name not in options:
                options[name] = entries[-1].strip()
        return {"profile": chosen, "options": options}

    def read_link(self, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return what a link asks for (``?opt-profile=…&opt-option-size=…``), to fill in the form.

        An option may be named with ``option-`` or without. Nothing is refused here: what does not fit is not
        filled in.
        """
        options = {
            name.removeprefix(PREFIX).partition(OWNER)[0]: values[-1]
            for name, values in query.items()
            if values and name != "profile"
        }
        profile = query.get("profile")
        return {"profile": profile[-1] if profile else None, "options": options}


def _asked(last: object) -> tuple[str | None, Mapping[str, object]]:
    if not isinstance(last, Mapping):
        return None, {}
    name, values = last.get("profile"), last.get("options")
    return (name if isinstance(name, str) else None), (values if isinstance(values, Mapping) else {})


def _still_accepted(profile: Profile, values: Mapping[str, object]) -> dict[str, str]:
    accepted = {}
    for option in profile.options:
        try:
            accepted[option.name] = option.check(values.get(option.name))
        except Refused:
            continue
    return accepted


def _facts(profile: Profile) -> tuple[Text, ...]:
    facts = list(profile.resources.facts())
    if profile.idle is not None:
        idle = Localized({language: format_duration(profile.idle, language) for language in LANGUAGES})
        facts.append(Text("stopped after {duration} without activity", duration=idle))
    return tuple(facts)


def _notes(capabilities: Capabilities) -> tuple[Text, ...]:
    if capabilities.limits == "not enforced":
        return (Text("Limits: not enforced. On this site, cores and memory are shared by everybody's servers."),)
    return ()

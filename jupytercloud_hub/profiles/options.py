"""What a person may still choose within a profile: from a list, or free text that a rule holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from ..contracts.model import Model
from ..contracts.text import Localized, Text
from .refusal import Refused
from .resources import ProfileResources


def not_the_hubs_own(name: str) -> str:
    """Return the name of an environment variable, or raise ValueError for one that the hub sets itself."""
    if name.startswith(("JUPYTERHUB_", "JPY_")):
        raise ValueError(Text("{name} is set by the hub itself", name=name))
    return name


OPTION_NAME = r"^[a-z][a-z0-9_-]{0,39}$"
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(not_the_hubs_own)]
"""Name of an environment variable that a catalogue may set."""


class Choice(Model):
    """One entry of an option's list, and what it changes in the profile."""

    value: str = Field(min_length=1, max_length=200)
    """What the form and the REST API send."""
    title: Localized | None = None
    """What people read; the value where it is missing."""
    image: str | None = Field(default=None, min_length=1)
    """Image that takes the place of the profile's."""
    resources: ProfileResources | None = None
    """Resources that take the place of the profile's, key by key."""
    environment: dict[Variable, str] = Field(default_factory=dict)
    """Environment variables that are added."""
    default_url: str | None = Field(default=None, pattern="^/")
    """Page that opens first."""

    @model_validator(mode="before")
    @classmethod
    def _a_text_alone_is_the_value(cls, value: Any) -> Any:
        return {"value": value} if isinstance(value, str) else value


class FreeText(Model):
    """Text of the person's own, accepted where the whole of it matches."""

    pattern: str = Field(min_length=1)
    """Regular expression that the **whole** text must match."""
    max_length: int = Field(default=200, ge=1, le=2000)
    """Longest text, in characters."""
    registries: tuple[str, ...] = ()
    """For images: registries, or places in them (``registry.example.fr/team``), from which they may come."""
    hint: Localized | None = None
    """What to write, in words; shown below the field and when the text is refused."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(Text("not a regular expression: {error}", error=str(error))) from None
        return value


class Option(Model):
    """A question that the form asks within a profile."""

    name: str = Field(pattern=OPTION_NAME)
    """Sent as ``option-<name>``."""
    title: Localized
    """The question, in a few words."""
    description: Localized | None = None
    """One more sentence below it."""
    choices: tuple[Choice, ...] = ()
    """The list to choose from."""
    text: FreeText | None = None
    """Whether a text of one's own is accepted, and which."""
    default: str | None = None
    """Value where nothing was chosen; the first choice where it is missing."""
    image: bool = False
    """Whether the value is an image name and takes the place of the profile's image."""
    variable: Variable | None = None
    """Environment variable that receives the value."""

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        if not self.choices and self.text is None:
            raise ValueError(Text("an option without choices and without text cannot be answered"))
        values = [choice.value for choice in self.choices]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(Text("the value {value} stands in choices twice", value=twice[0]))
        if self.default is not None and self.default not in values and self.text is None:
            raise ValueError(Text("a default among the choices is expected: {values}", values=", ".join(values)))
        return self

    @property
    def initial(self) -> str | None:
        """The value where nothing was chosen; None where the person has to write one."""
        if self.default is not None:
            return self.default
        return self.choices[0].value if self.choices else None

    def choice(self, value: str) -> Choice | None:
        """Return the list's entry of that value."""
        return next((choice for choice in self.choices if choice.value == value), None)

    def check(self, value: object) -> str:
        """Return the value, or raise Refused: whatever way it came, it is judged here."""
        if not isinstance(value, str):
            raise Refused(Text("The option “{option}” takes one text.", option=self.title), reason="option")
        if self.choice(value):
            return value
        if self.text is None:
            raise Refused(
                Text(
                    "“{value}” is not among the choices of “{option}”.",
                    value=_short(value),
                    option=self.title,
                ),
                reason="option",
            )
        if len(value) > self.text.max_length or not re.fullmatch(self.text.pattern, value):
            refused = Text("“{value}” is not accepted for “{option}”.", value=_short(value), option=self.title)
            if self.text.hint:
                refused = Text("{refused} {hint}", refused=refused, hint=self.text.hint)
            raise Refused(refused, reason="option")
        if self.text.registries and not in_registries(value, self.text.registries):
            raise Refused(
                Text(
                    "The image “{value}” does not come from an allowed registry ({registries}).",
                    value=_short(value),
                    registries=", ".join(self.text.registries),
                ),
                reason="image",
                status=403,
            )
        return value


def check_all(options: tuple[Option, ...], values: Mapping[str, object]) -> dict[str, str]:
    """Return each option's value, defaults filled in, in the profile's order.

    Raises Refused for an option that the profile does not have, a value that is not accepted, and an option
    that has no default and was not answered.
    """
    known = {option.name: option for option in options}
    for name in values:
        if name not in known:
            raise Refused(Text("This profile has no option “{option}”.", option=_short(str(name))), reason="option")
    answers: dict[str, str] = {}
    for option in options:
        value = values.get(option.name)
        if value is None or value == "":
            if option.initial is None:
                raise Refused(Text("Please fill in “{option}”.", option=option.title), reason="option")
            value = option.initial
        answers[option.name] = option.check(value)
    return answers


def in_registries(image: str, registries: tuple[str, ...]) -> bool:
    """Return whether an image's full name begins with one of the registries, or with a place in one.

    A name without a registry belongs to docker.io, as for every engine. Whole path components are compared:
    ``registry.fr/team`` lets in neither ``registry.fr/team-of-others`` nor ``registry.fr.elsewhere.org``.
    """
    name = image.partition("@")[0].casefold()
    first, slash, _ = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    parts = name.split("/")
    if ".." in parts or "." in parts or "" in parts:
        return False
    head, last = parts[:-1], parts[-1].partition(":")[0]
    path = [*head, last]
    for registry in registries:
        wanted = registry.casefold().strip("/").split("/")
        if path[: len(wanted)] == wanted:
            return True
    return False


def _short(value: str) -> str:
    return value if len(value) <= 80 else value[:79] + "…"

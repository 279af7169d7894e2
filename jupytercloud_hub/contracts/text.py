"""Words for people, kept apart from the language they are read in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")
DEFAULT_LANGUAGE: Language = "fr"


@dataclass(frozen=True, init=False)
class Text:
    """A sentence that pure code says and an edge translates.

    ``Text("{left} left", left="3 h")``: the first argument is the English sentence, which is the key
    of the translation catalogues; the others fill its ``{places}``. A parameter may be a `Text` or a
    `Localized` itself and is then read in the same language.
    """

    msgid: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, msgid: str, /, **params: Any) -> None:
        object.__setattr__(self, "msgid", msgid)
        object.__setattr__(self, "params", params)

    def __hash__(self) -> int:
        return hash((self.msgid, tuple(sorted((key, str(value)) for key, value in self.params.items()))))

    def render(self, gettext: Callable[[str], str], language: Language) -> str:
        """Return the sentence in ``language``, looked up with ``gettext``."""

        def read(value: Any) -> Any:
            if isinstance(value, Text):
                return value.render(gettext, language)
            if isinstance(value, Localized):
                return value.in_(language)
            return value

        return gettext(self.msgid).format(**{key: read(value) for key, value in self.params.items()})

    def __str__(self) -> str:
        """Return the English sentence: for logs and tests, never for a person's page."""
        return self.render(lambda msgid: msgid, "en")


class Localized:
    """A text that an administrator writes: one sentence, or one per language.

    In the configuration: ``title: PyCoA`` or ``title: {fr: Premiers pas, en: First steps}``.
    """

    __slots__ = ("texts",)

    def __init__(self, texts: str | Mapping[str, str]) -> None:
        self.texts: dict[str, str] = {"": texts} if isinstance(texts, str) else dict(texts)

    def in_(self, language: str) -> str:
        """Return the text in ``language``, else in French, else as it was written."""
        for key in (language, DEFAULT_LANGUAGE, "en", ""):
            if key in self.texts:
                return self.texts[key]
        return ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Localized) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.texts.items())))

    def __bool__(self) -> bool:
        return any(self.texts.values())

    def __repr__(self) -> str:
        return f"Localized({self.dump()!r})"

    def dump(self) -> str | dict[str, str]:
        """Return it as it stands in the configuration."""
        return self.texts[""] if "" in self.texts else dict(self.texts)

    @classmethod
    def _validate(cls, value: Any) -> Localized:
        if isinstance(value, Localized):
            return value
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, Mapping) and value:
            unknown = [key for key in value if key not in LANGUAGES]
            if unknown:
                raise ValueError(Text("the languages are {known}", known=", ".join(LANGUAGES)))
            if all(isinstance(text, str) for text in value.values()):
                return cls(value)
        raise ValueError(Text("a text, or one for each language: {{fr: Bonjour, en: Hello}}"))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda text: text.dump()),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        languages = {language: {"type": "string"} for language in LANGUAGES}
        return {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": languages, "additionalProperties": False, "minProperties": 1},
            ]
        }

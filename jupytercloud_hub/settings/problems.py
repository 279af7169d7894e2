"""What is wrong with a configuration file, in words that say where, what, why and what to write instead."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..contracts.text import Text
from .secrets import Secret

Key = tuple[str | int, ...]

_SECRET_WORDS = ("secret", "password", "token", "private_key")
_CREDENTIALS = re.compile(r"(?<=//)[^/@]*@")


@dataclass(frozen=True)
class Problem:
    """One mistake in one place.

    ``line`` and ``column`` count from 1, as editors do; both are 0 where the whole file is meant.
    """

    file: str
    line: int
    column: int
    key: Key
    value: str
    rule: Text
    hint: Text | None = None

    @property
    def path(self) -> str:
        """The key as people write it: ``profiles[2].resources.memory``."""
        return format_key(self.key)

    @property
    def place(self) -> str:
        """``file:line:column``, which editors and terminals turn into a link."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def text(self) -> Text:
        """The whole problem as one sentence."""
        what = Text("{path}: {rule}", path=self.path, rule=self.rule) if self.key else self.rule
        if self.value:
            what = Text("{what} (here: {value})", what=what, value=self.value)
        return Text("{what}. {hint}", what=what, hint=self.hint) if self.hint else what


class SettingsError(Exception):
    """A configuration file that can't be used; ``problems`` are all the mistakes found in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{problem.place}: {problem.text()}" for problem in problems))


def format_key(key: Iterable[str | int]) -> str:
    """Return ``a.b[0].c`` for ``("a", "b", 0, "c")``."""
    path = ""
    for part in key:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else part)
    return path


def shown(model: type[BaseModel], key: Key, value: Any) -> str:
    """Return the value as a problem may show it: short, and nothing of a secret."""
    if any(word in str(part) for part in key for word in _SECRET_WORDS) or _is_secret(model, key):
        return ""
    if isinstance(value, dict | list) or value is None:
        return ""
    text = _CREDENTIALS.sub("…@", str(value))
    return text if len(text) <= 60 else f"{text[:57]}…"


def _is_secret(model: type[BaseModel], key: Key) -> bool:
    return any(Secret in _models_at(model, key[:end]) for end in range(1, len(key) + 1))


def as_written(error: dict[str, Any], written: Container[Key]) -> Key:
    """Return pydantic's place of an error as the file has it.

    pydantic adds the branch of a union, and the index of a list of which only the one item was written: what
    the file does not have is not the reader's business.
    """
    parts: Key = tuple(error["loc"])
    key: Key = ()
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        if (*key, part) in written or (last and error["type"] in {"missing", "extra_forbidden"}):
            key = (*key, part)
    return key


def one_for_each_place(errors: Sequence[dict[str, Any]], written: Container[Key]) -> list[dict[str, Any]]:
    """Return pydantic's errors without those that tell one mistake again.

    A value that may have two forms gives an error for each; a profile that another extends, for each of both.
    """
    places: dict[Key, dict[str, Any]] = {}
    for error in errors:
        key = as_written(error, written)
        if _inherited(error, errors, written):
            continue
        if key not in places:
            places[key] = error
        elif str(rule_of(places[key])) != str(rule_of(error)) and len(error["loc"]) > len(key):
            both = Text("{rule}; or: {other}", rule=rule_of(places[key]), other=rule_of(error))
            places[key] = {**places[key], "ctx": {"error": ValueError(both)}}
    return list(places.values())


def _inherited(error: dict[str, Any], errors: Sequence[dict[str, Any]], written: Container[Key]) -> bool:
    """Whether another item of the same list has the mistake too, and it is written there."""
    place, depth = error["loc"], len(as_written(error, written))
    return any(
        (other["loc"][:1], other["loc"][2:], other["type"]) == (place[:1], place[2:], error["type"])
        and depth < len(as_written(other, written))
        for other in errors
    )


def rule_of(error: dict[str, Any]) -> Text:
    """Return the rule that a pydantic error stands for, in our own words."""
    context = error.get("ctx") or {}
    cause = context.get("error")
    if isinstance(cause, Exception) and cause.args and isinstance(cause.args[0], Text):
        return cause.args[0]
    kind = error["type"]
    if kind in _RULES:
        return Text(_RULES[kind].msgid, **{name: value for name, value in context.items() if name != "error"})
    return Text("{message}", message=str(cause) if cause else error["msg"])


_RULES: dict[str, Text] = {
    "extra_forbidden": Text("there is no such key"),
    "missing": Text("this key is needed"),
    "string_type": Text("a text is expected"),
    "int_type": Text("a whole number is expected"),
    "int_parsing": Text("a whole number is expected"),
    "int_from_float": Text("a whole number is expected"),
    "float_type": Text("a number is expected"),
    "float_parsing": Text("a number is expected"),
    "bool_type": Text("true or false is expected"),
    "bool_parsing": Text("true or false is expected"),
    "list_type": Text("a list is expected"),
    "tuple_type": Text("a list is expected"),
    "dict_type": Text("a mapping of keys to values is expected"),
    "model_type": Text("a mapping of keys to values is expected"),
    "model_attributes_type": Text("a mapping of keys to values is expected"),
    "literal_error": Text("one of {expected} is expected"),
    "enum": Text("one of {expected} is expected"),
    "greater_than": Text("a number above {gt} is expected"),
    "greater_than_equal": Text("a number of at least {ge} is expected"),
    "less_than": Text("a number below {lt} is expected"),
    "less_than_equal": Text("a number of at most {le} is expected"),
    "string_too_short": Text("a text of at least {min_length} characters is expected"),
    "string_too_long": Text("a text of at most {max_length} characters is expected"),
    "string_pattern_mismatch": Text("a text that matches {pattern} is expected"),
    "too_short": Text("at least {min_length} are needed"),
    "url_parsing": Text("an address such as https://hub.example.fr/ is expected"),
    "url_scheme": Text("an address that begins with {expected_schemes} is expected"),
}


def nearest_key(model: type[BaseModel], key: Key) -> Text | None:
    """Return a hint that names the known key nearest to the unknown one at the end of ``key``."""
    known = sorted(_known_keys(model, key[:-1]))
    near = difflib.get_close_matches(str(key[-1]), known, n=1, cutoff=0.6)
    if near:
        return Text("Did you mean {key}?", key=near[0])
    return Text("Known here: {keys}.", keys=", ".join(known)) if known else None


def _known_keys(model: type[BaseModel], key: Key) -> set[str]:
    """Return the keys that the models at ``key`` know."""
    models = _models_at(model, key)
    return {field.alias or name for one in models for name, field in one.model_fields.items()}


def _models_at(model: type[BaseModel], key: Key) -> list[type[BaseModel]]:
    """Return the models that may stand at ``key``."""
    models = [model]
    for part in key:
        inner: list[type[BaseModel]] = []
        for one in models:
            if isinstance(part, str) and part in one.model_fields:
                inner.extend(_models(one.model_fields[part].annotation))
            else:
                inner.append(one)  # an index in a list of models, or the key of a mapping of models
        models = inner
    return models


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a type annotation holds, however deep."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in typing.get_args(annotation) for model in _models(part)]

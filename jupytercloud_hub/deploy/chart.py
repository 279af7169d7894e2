"""Which keys the zero-to-jupyterhub chart has, and of what kind their values are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

from ..contracts.text import Text
from ..settings.problems import Key, Problem
from .places import Values

CHART_VERSION = "4.4.0"
"""The version of which `chart_keys.yaml` speaks."""

_KINDS: dict[str, tuple[tuple[type[Any], ...], Text]] = {
    "text": ((str,), Text("a text is expected; put numbers and versions in quotes")),
    "number": ((int,), Text("a whole number is expected")),
    "decimal": ((int, float), Text("a number is expected")),
    "flag": ((bool,), Text("true or false is expected")),
    "list": ((list,), Text("a list is expected")),
    "map": ((dict,), Text("a mapping of keys to values is expected")),
    "texts": ((dict,), Text("a mapping of keys to values is expected")),
    "amount": ((int, float, str), Text("an amount such as 2G is expected")),
}


@cache
def chart_keys() -> dict[str, Any]:
    """Return the keys of the chart, each with its kind or the keys below it."""
    text = files(__package__).joinpath("chart_keys.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe", pure=True).load(text)["chart"])


def check_keys(values: Values) -> Iterator[Problem]:
    """Yield each key that the chart does not have, and each value that is not of its key's kind."""
    yield from _check(values, (), values.data, chart_keys())


def _check(values: Values, key: Key, data: dict[str, Any], known: dict[str, Any]) -> Iterator[Problem]:
    for name, value in data.items():
        here = (*key, name)
        kind = known.get(name, known.get("*"))
        if kind is None:
            yield values.problem(here, Text("the chart has no such key"), _nearest(str(name), known))
        elif value is None:
            continue
        elif isinstance(kind, dict):
            if isinstance(value, dict):
                yield from _check(values, here, value, kind)
            else:
                yield values.problem(here, _KINDS["map"][1], value=value)
        elif kind != "any":
            yield from _check_value(values, here, value, kind)


def _check_value(values: Values, here: Key, value: Any, kind: str) -> Iterator[Problem]:
    if kind in _KINDS:
        types, rule = _KINDS[kind]
        wrong_flag = isinstance(value, bool) and kind != "flag"  # a flag is a number to Python
        if not isinstance(value, types) or wrong_flag:
            yield values.problem(here, rule, value=value)
        elif kind == "texts" and isinstance(value, dict):
            for name, inner in value.items():
                if inner is not None and not isinstance(inner, str):
                    yield values.problem((*here, name), _KINDS["text"][1], value=inner)
    else:
        words = [word.strip() for word in kind.split("|")]
        if value not in words:
            near = difflib.get_close_matches(str(value), words, n=1)
            hint = Text("Did you mean {key}?", key=near[0]) if near else None
            yield values.problem(
                here, Text("one of {expected} is expected", expected=", ".join(words)), hint, value=value
            )


def _nearest(name: str, known: dict[str, Any]) -> Text:
    names = sorted(key for key in known if key != "*")
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return Text("Did you mean {key}?", key=near[0]) if near else Text("Known here: {keys}.", keys=", ".join(names))

"""YAML files whose every key knows its place, and several of them laid over each other as Helm does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..contracts.text import Text
from ..settings.problems import Key, Problem, format_key


@dataclass(frozen=True)
class Place:
    """Where something stands; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass
class Values:
    """What one file says, or several laid over each other: the data, and the place of each key."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, Place] = field(default_factory=dict)
    first_lines: dict[Key, int] = field(default_factory=dict)
    """Line of the first line of a text in a block (``|``)."""

    def get(self, *key: str | int) -> Any:
        """Return what stands at ``key``; None where nothing does."""
        found: Any = self.data
        for part in key:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def has(self, *key: str | int) -> bool:
        """Say whether ``key`` is written, be it as null."""
        return key in self.places

    def place(self, key: Key) -> Place:
        """Return the place of ``key``, or of what would hold it."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.places:
                return self.places[key[:end]]
        return next(iter(self.places.values()), Place("", 0, 0))

    def problem(
        self, key: Key, rule: Text, hint: Text | None = None, *, value: Any = None, line_in_text: int | None = None
    ) -> Problem:
        """Return a finding about ``key``; ``line_in_text`` counts from 1 inside a block of text."""
        place = self.place(key)
        line, column = place.line, place.column
        if line_in_text is not None and key in self.first_lines:
            line, column = self.first_lines[key] + line_in_text - 1, 1
        shown = "" if value is None or isinstance(value, dict | list) else str(value)
        return Problem(place.file, line, column, key, shown if len(shown) <= 60 else f"{shown[:57]}…", rule, hint)

    def walk(self) -> Iterator[tuple[Key, Any]]:
        """Yield every key with its value, from the outside in."""
        yield from _items((), self.data)

    def under(self, *key: str | int) -> Values:
        """Return what stands below ``key`` as values of its own, with their places."""
        inner = self.get(*key)
        here = Values(dict(inner) if isinstance(inner, dict) else {})
        depth = len(key)
        here.places = {(): self.place(key)} | {at[depth:]: one for at, one in self.places.items() if at[:depth] == key}
        return here


def _items(key: Key, value: Any) -> Iterator[tuple[Key, Any]]:
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for name, inner in pairs:
        yield (*key, name), inner
        yield from _items((*key, name), inner)


def read(path: Path) -> tuple[list[Values], list[Problem]]:
    """Return the documents of a file and what is wrong with its YAML; a broken file has no documents."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [], [whole(path, Text("there is no such file"))]
    except (OSError, UnicodeDecodeError) as error:
        return [], [whole(path, Text("the file can't be read: {error}", error=str(error)))]
    yaml = YAML(typ="safe", pure=True)
    try:
        nodes = [node for node in yaml.compose_all(text) if node is not None]
        datas = [yaml.constructor.construct_document(node) for node in nodes]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        said = error.problem or str(error)
        if said.startswith("found duplicate key"):
            name = said.removeprefix("found duplicate key").split('"')[1]
            return [], [Problem(str(path), line, column, (name,), "", Text("this key stands here twice"))]
        return [], [Problem(str(path), line, column, (), "", Text("this is not YAML: {problem}", problem=said))]
    except YAMLError as error:
        return [], [whole(path, Text("this is not YAML: {problem}", problem=str(error).splitlines()[0]))]
    documents = []
    for node, data in zip(nodes, datas, strict=True):
        if data is None:  # nothing but a comment
            continue
        if not isinstance(data, dict):
            place = Problem(
                str(path), node.start_mark.line + 1, 1, (), "", Text("a mapping of keys to values is expected")
            )
            return [], [place]
        one = Values(data)
        _mark(node, (), str(path), one, ())
        documents.append(one)
    return documents, []


def read_one(path: Path) -> tuple[Values, list[Problem]]:
    """Return the only document of a file; an empty one says nothing."""
    documents, problems = read(path)
    if len(documents) > 1:
        problems = [whole(path, Text("one document is expected, without a line ---"))]
    return (documents[0] if documents else Values()), problems


def whole(path: Path, rule: Text) -> Problem:
    """Return a finding about a whole file."""
    return Problem(str(path), 0, 0, (), "", rule)


def layered(layers: list[Values]) -> Values:
    """Lay values over each other: mappings are merged, anything else is replaced, null takes away."""
    merged = Values()
    for layer in layers:
        _lay(merged.data, layer.data)
        for key in layer.places:
            if key in merged.places and not isinstance(layer.get(*key), dict):  # what stood below it is gone
                merged.places = {at: one for at, one in merged.places.items() if at[: len(key)] != key}
        merged.places |= layer.places
        merged.first_lines |= layer.first_lines
    return merged


def _lay(below: dict[str, Any], above: dict[str, Any]) -> None:
    for name, value in above.items():
        if isinstance(value, dict):
            inner = below.get(name)
            below[name] = dict(inner) if isinstance(inner, dict) else {}
            _lay(below[name], value)
        else:
            below[name] = value


def _mark(node: Node, key: Key, file: str, into: Values, above: tuple[Node, ...]) -> None:
    if node in above:  # an anchor inside itself
        return
    above = (*above, node)
    if isinstance(node, MappingNode):
        merged: list[Node] = []
        for name, value in node.value:
            if name.tag.endswith(":merge"):
                merged += value.value if isinstance(value, SequenceNode) else [value]
                continue
            here = (*key, name.value)
            if here not in into.places:
                into.places[here] = Place(file, name.start_mark.line + 1, name.start_mark.column + 1)
                if isinstance(value, ScalarNode) and value.style in {"|", ">"}:
                    into.first_lines[here] = value.start_mark.line + 2
            _mark(value, here, file, into, above)
        for one in merged:
            _mark(one, key, file, into, above)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            here = (*key, index)
            into.places.setdefault(here, Place(file, value.start_mark.line + 1, value.start_mark.column + 1))
            _mark(value, here, file, into, above)


def dotted(key: Key) -> str:
    """Return a key as people write it."""
    return format_key(key)

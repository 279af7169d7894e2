"""Reads ``jupytercloud.yaml`` and tells each mistake with its file, line and column, all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from ..contracts.text import Text
from .checks import cross_checks
from .model import Settings
from .problems import Key, Problem, SettingsError, as_written, nearest_key, one_for_each_place, rule_of, shown
from .shared import SharedCatalogue, SharedError

_Marks = dict[Key, tuple[int, int]]


def load(path: str | Path) -> Settings:
    """Return the settings that the file holds.

    Relative paths in it are relative to its folder. Raises `SettingsError` with every mistake found.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError([_whole(path, Text("there is no such file"))]) from None
    except (OSError, UnicodeDecodeError) as error:
        rule = Text("the file can't be read: {error}", error=str(error))
        raise SettingsError([_whole(path, rule)]) from None
    return parse(text, path)


def parse(text: str, path: Path) -> Settings:
    """Return the settings that a text holds; ``path`` is where it came from."""
    data, marks = _read(text, path)
    wrong: list[Problem] = []
    shared = path  # the file that holds the profiles
    if isinstance(data.get("profiles"), dict):
        shared, marks = _shared_profiles(data, marks, path)
    if data.pop("file", None) is not None:  # what `Settings` keeps there is not the file's to say
        wrong.append(_problem(path, {"type": "extra_forbidden", "loc": ("file",)}, marks))
    try:
        settings = Settings.model_validate({**data, "file": path})
    except ValidationError as error:
        details = [dict(detail) for detail in error.errors(include_url=False)]
        wrong += [
            _problem(shared if detail["loc"][:1] == ("profiles",) else path, detail, marks)
            for detail in one_for_each_place(details, marks)
        ]
        raise SettingsError(_sorted(wrong)) from None
    wrong += [
        Problem(
            str(shared if key[:1] == ("profiles",) else path),
            *_mark(marks, key),
            key,
            shown(Settings, key, _at(data, key)),
            rule,
            hint,
        )
        for key, rule, hint in cross_checks(settings)
    ]
    if wrong:
        raise SettingsError(_sorted(wrong))
    return settings


def _shared_profiles(data: dict[str, Any], marks: _Marks, path: Path) -> tuple[Path, _Marks]:
    """Put a shared catalogue's profiles into ``data``; return its path, and the marks with its own."""
    here: Key = ("profiles",)
    try:
        where = SharedCatalogue.model_validate(data["profiles"])
    except ValidationError as error:
        details = [{**detail, "loc": (*here, *detail["loc"])} for detail in error.errors(include_url=False)]
        raise SettingsError(_sorted([_problem(path, dict(detail), marks) for detail in details])) from None
    site = data.get("site")
    state = site.get("state", "state") if isinstance(site, dict) else "state"
    folder = path.resolve().parent
    try:
        text, place = where.read(folder, folder / str(state))
    except SharedError as error:
        raise SettingsError([Problem(str(path), *_mark(marks, here), here, "", error.text)]) from None
    theirs, their_marks = _read(text, place)
    others = sorted(str(key) for key in theirs if key != "profiles")
    if others:
        rule = Text("a shared catalogue has the one key profiles")
        raise SettingsError([Problem(str(place), *_mark(their_marks, (others[0],)), (others[0],), "", rule)])
    data["profiles"] = theirs.get("profiles", [])
    own = {key: mark for key, mark in marks.items() if key[:1] != here}
    return place, {**own, **their_marks}


def _read(text: str, path: Path) -> tuple[dict[str, Any], _Marks]:
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        data = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        key, rule = _syntax(error)
        raise SettingsError([Problem(str(path), line, column, key, "", rule)]) from None
    except YAMLError as error:
        rule = Text("this is not YAML: {problem}", problem=str(error).splitlines()[0])
        raise SettingsError([_whole(path, rule)]) from None
    if not isinstance(node, MappingNode) or not isinstance(data, dict):
        raise SettingsError([_whole(path, Text("a mapping of keys to values is expected"))])
    marks: _Marks = {}
    _walk(node, (), marks)
    return data, marks


def _syntax(error: MarkedYAMLError) -> tuple[Key, Text]:
    problem = error.problem or ""
    if problem.startswith("found duplicate key"):
        name = problem.removeprefix("found duplicate key").split('"')[1]
        return (name,), Text("this key stands here twice")
    if "'\\t'" in problem:
        return (), Text("a tab can't indent YAML: use spaces")
    return (), Text("this is not YAML: {problem}", problem=problem or str(error))


def _walk(node: Node, key: Key, marks: _Marks, above: tuple[Node, ...] = ()) -> None:
    """Note where each key, or each item of a list, begins; a key that stands here comes before a merged one."""
    if node in above:  # an anchor inside itself: pydantic tells it
        return
    above = (*above, node)
    merged: list[Node] = []
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if name.tag.endswith(":merge"):
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif isinstance(name.value, str):
                here = (*key, name.value)
                marks.setdefault(here, (name.start_mark.line + 1, name.start_mark.column + 1))
                _walk(value, here, marks, above)
        for one in merged:
            _walk(one, key, marks, above)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            here = (*key, index)
            marks.setdefault(here, (value.start_mark.line + 1, value.start_mark.column + 1))
            _walk(value, here, marks, above)


def _mark(marks: _Marks, key: Key) -> tuple[int, int]:
    """Return the place of the key, or of what holds it where it is not written."""
    for end in range(len(key), 0, -1):
        if key[:end] in marks:
            return marks[key[:end]]
    return (1, 1)


def _problem(path: Path, error: dict[str, Any], marks: _Marks) -> Problem:
    absent = error["type"] in {"missing", "extra_forbidden"}
    key = as_written(error, marks)
    value = "" if absent else shown(Settings, key, error.get("input"))
    hint = nearest_key(Settings, key) if error["type"] == "extra_forbidden" else None
    return Problem(str(path), *_mark(marks, key), key, value, rule_of(error), hint)


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _at(data: Any, key: Key) -> Any:
    for part in key:
        if isinstance(data, str):  # one name where a list may stand
            return data
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _whole(path: Path, rule: Text) -> Problem:
    return Problem(str(path), 0, 0, (), "", rule)

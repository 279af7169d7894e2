"""``jupytercloud.yaml`` inside values: looked at by the hub's own models, told with the place in the value files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..contracts.text import Text
from ..settings.checks import cross_checks
from ..settings.model import Settings
from ..settings.problems import Key, Problem, as_written, nearest_key, one_for_each_place, rule_of, shown
from .places import Values

FILE: Key = ("hub", "extraFiles", "jupytercloud")
DATA: Key = (*FILE, "data")


def settings_of(values: Values) -> tuple[Settings | None, list[Problem]]:
    """Return the settings that the values carry, and what is wrong with them."""
    data = values.get(*DATA)
    if not isinstance(data, dict):
        rule = Text("jupytercloud.yaml is expected here, as a mapping: helm lays the site's over the common one")
        return None, [values.problem(DATA, rule)]
    inside = values.under(*DATA)
    path = Path(str(values.get(*FILE, "mountPath") or "/etc/jupytercloud/jupytercloud.yaml"))
    try:
        settings = Settings.model_validate({**data, "file": path})
    except ValidationError as error:
        details = [dict(detail) for detail in error.errors(include_url=False)]
        return None, [_told(values, inside, detail) for detail in one_for_each_place(details, inside.places)]
    problems = [
        values.problem((*DATA, *key), rule, hint, value=shown(Settings, key, inside.get(*key)))
        for key, rule, hint in cross_checks(settings)
    ]
    return settings, problems


def _told(values: Values, inside: Values, error: dict[str, Any]) -> Problem:
    absent = error["type"] in {"missing", "extra_forbidden"}
    key = as_written(error, inside.places)
    value = None if absent else shown(Settings, key, error.get("input"))
    hint = nearest_key(Settings, key) if error["type"] == "extra_forbidden" else None
    return values.problem((*DATA, *key), rule_of(error), hint, value=value or None)


def secrets_of(values: Values) -> Iterator[tuple[Key, str, str]]:
    """Yield each secret that the settings name: its key in the values, ``env`` or ``file``, and the name."""
    for key, value in values.walk():
        if key[: len(DATA)] != DATA or not isinstance(value, dict):
            continue
        for kind in ("env", "file"):
            if set(value) == {kind} and isinstance(value[kind], str):
                yield (*key, kind), kind, value[kind]
    password = values.get(*DATA, "database", "password")
    if isinstance(password, str):
        yield (*DATA, "database", "password"), "file", password

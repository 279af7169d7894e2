"""The real chart, where there is one: its own schema, and two renders that must be the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..contracts.text import Text
from ..settings.problems import Problem
from .places import Values
from .secret_words import is_reference

PLACEHOLDER = "0" * 64
"""Stands for a secret that is resolved in the cluster."""


class NoHelmError(Exception):
    """helm-python-sdk is not installed."""


def check(values: Values, chart: Path, namespace: str) -> Iterator[Problem]:
    """Yield what Helm itself says of the values, and where two renders differ.

    ``chart``: a folder or an archive of zero-to-jupyterhub. Raises `NoHelmError`.
    """
    try:
        one, other = (rendered(values.data, chart, namespace) for _ in range(2))
    except NoHelmError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        yield values.problem((), Text("Helm refuses these values: {problem}", problem=said[:600]))
        return
    for name in sorted({*one, *other}):
        first, second = str(one.get(name)).splitlines(), str(other.get(name)).splitlines()
        if first != second:
            differing = next((line for line, again in zip(first, second, strict=False) if line != again), "")
            yield values.problem((), Text("two renders differ: {where}", where=f"{name}: {differing.strip()[:60]}"))
            return


def rendered(data: Mapping[str, Any], chart: Path, namespace: str) -> dict[str, str]:
    """Return what Helm makes of values, by the template's name; references to secrets are zeros in it.

    Raises `NoHelmError`, and what Helm says where it refuses the values.
    """
    try:
        from helm_python import Chart  # an extra: it carries all of Helm
    except ImportError:
        raise NoHelmError from None
    with Chart.load(chart) as loaded:
        made = loaded.render(values=_resolved(copy.deepcopy(dict(data))), name="jupyterhub", namespace=namespace)
    return {str(name): str(text) for name, text in made.items()}


def _resolved(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner) for inner in value]
    return PLACEHOLDER if is_reference(value) else value

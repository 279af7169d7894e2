"""The objects of config/kubernetes/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from tests.support import ROOT

FOLDER = ROOT / "config" / "kubernetes"


def objects(name: str) -> list[dict[str, Any]]:
    """Return the objects of a file, those of its lists one by one."""
    return list(_each(YAML(typ="safe").load_all((FOLDER / name).read_text())))


def _each(documents: Any) -> Iterator[dict[str, Any]]:
    for one in documents:
        if one["kind"] == "List":
            yield from one["items"]
        else:
            yield one


def of_kind(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of one kind of a file, by name."""
    return {one["metadata"]["name"]: one for one in objects(name) if one["kind"] == kind}

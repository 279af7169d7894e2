"""How one mapping of the catalogue is laid on another: for ``extends`` and for what a choice changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on it; mappings are merged, everything else is replaced.

    A text in two languages is one thing: it is replaced, never mixed.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping) and not {"fr", "en"} & set(value):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged

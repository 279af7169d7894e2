"""Reads what an administrator's file has set before ``configure``: a value, or ``c.X.y.append(…)``."""

from __future__ import annotations

from typing import Any

from traitlets.config.loader import LazyConfigValue


def present(section: Any, trait: str, default: Any) -> Any:
    """Return the value that a trait has so far in the configuration, else ``default``."""
    if trait not in section:
        return default
    value = section[trait]
    return value.get_value(default) if isinstance(value, LazyConfigValue) else value


def append(section: Any, trait: str, *values: Any) -> None:
    """Add to a list; what the administrator put there before stays, and is not changed in place."""
    setattr(section, trait, [*(present(section, trait, []) or []), *values])


def update(section: Any, trait: str, values: dict[str, Any], default: dict[str, Any] | None = None) -> None:
    """Add to a mapping; what the administrator put there before stays unless it has the same key."""
    setattr(section, trait, {**(present(section, trait, default or {}) or {}), **values})

"""The one configuration file: ``jupytercloud.yaml`` as models, its errors, and what it sets on a hub."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loading import load
    from .model import Settings
    from .problems import Problem, SettingsError
    from .secrets import Secret

__all__ = ["Problem", "Secret", "Settings", "SettingsError", "load"]

_HOMES = {
    "Problem": "problems",
    "Secret": "secrets",
    "Settings": "model",
    "SettingsError": "problems",
    "load": "loading",
}


def __getattr__(name: str) -> Any:
    # Lazy: a part that needs the models of its own section does not load the reader of YAML and every other part's.
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The database: one base of tables, one engine, one migration history with a branch for each part."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Base
    from .database import Database

__all__ = ["Base", "Database"]


def __getattr__(name: str) -> Any:
    """Import SQLAlchemy at the first look at what needs it: a process with `PlainDatabase` never does."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f".{name.lower()}", __name__), name)

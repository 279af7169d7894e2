"""The database: one base of tables, one engine, one migration history with a branch for each part."""

from .base import Base
from .database import Database

__all__ = ["Base", "Database"]

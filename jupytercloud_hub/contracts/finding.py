"""What ``jupytercloud check`` finds: one thing, well or not, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .text import Text


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    ``status``: ``ok``; ``warning`` works, but not for long or not well; ``error`` people are or will be hit;
    ``skipped`` could not be looked at, which is no good news.
    """

    area: str
    """What was looked at, as a stable word for machines: ``provider``."""
    status: Literal["ok", "warning", "error", "skipped"]
    what: Text
    mend: Text | None = None
    """What to do; always there unless all is well."""
    why: Text | None = None
    """Why it matters."""

"""The one client of JupyterHub's REST API."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import HubApi, HubApiError

# httpx's command line, which it would import with itself: click and, where they are installed, rich and Pygments.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

__all__ = ["HubApi", "HubApiError"]


def __getattr__(name: str) -> Any:
    # Lazy: a person's Jupyter server takes the resolver from here, and has no httpx.
    if name in __all__:
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

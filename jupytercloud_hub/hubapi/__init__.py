"""The one client of JupyterHub's REST API."""

import sys

# httpx's command line, which it would import with itself: click and, where they are installed, rich and Pygments.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from .client import HubApi, HubApiError  # noqa: E402

__all__ = ["HubApi", "HubApiError"]

"""The one client of JupyterHub's REST API."""

from .client import HubApi, HubApiError

__all__ = ["HubApi", "HubApiError"]

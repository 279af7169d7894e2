"""JupyterHub as one national federation: what an administrator imports in ``jupyterhub_config.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .settings.configure import configure

__version__ = "0.1.0.dev0"
__all__ = ["__version__", "configure"]


def __getattr__(name: str) -> Any:
    # Lazy: the hub imports entry points of this package while it only prints its help.
    if name == "configure":
        from .settings.configure import configure

        return configure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

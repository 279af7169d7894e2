"""Who may come in: runs inside the hub's one thread, so nothing here waits without letting others run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .renater import RenaterAuthenticator

__all__ = ["RenaterAuthenticator"]


def __getattr__(name: str) -> Any:
    # Lazy: `jupytercloud check` reads the provider's documents without a hub and its authenticators.
    if name == "RenaterAuthenticator":
        from .renater import RenaterAuthenticator

        return RenaterAuthenticator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

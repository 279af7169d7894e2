"""Who may come in: runs inside the hub's one thread, so nothing here waits without letting others run."""

from .renater import RenaterAuthenticator

__all__ = ["RenaterAuthenticator"]

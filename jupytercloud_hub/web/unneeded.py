"""Keeps the hub's database models out of a service process until something asks for them, which hardly happens.

JupyterHub's client for services (``jupyterhub.services.auth``) names ``jupyterhub.orm`` and ``jupyterhub.roles`` for
functions that only a hub calls; they bring Alembic, Mako and a second set of tables: 7 MiB in every service. One name
of SQLAlchemy, for an ``except`` in a hub, brings all of it: 11 MiB more in a service that speaks SQL without it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

HUB_ONLY = ("jupyterhub.orm", "jupyterhub.roles")


SQLALCHEMY = "sqlalchemy"


class _Later(ModuleType):
    """Stands for a module, and imports it at the first look at one of its names."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system's own questions
            raise AttributeError(name)
        for standing in [key for key, module in sys.modules.items() if isinstance(module, _Later)]:
            if standing == self.__name__ or standing.startswith(SQLALCHEMY):
                del sys.modules[standing]
        return getattr(import_module(self.__name__), name)


def import_when_used(*names: str) -> None:
    """Put the import of modules off; nothing happens to those that are there already."""
    for name in names:
        sys.modules.setdefault(name, _Later(name))


def do_without_sqlalchemy() -> None:
    """Put the import of SQLAlchemy off too, for a process that has no `storage.Database`."""
    import_when_used(SQLALCHEMY, f"{SQLALCHEMY}.exc")
    errors = sys.modules[f"{SQLALCHEMY}.exc"]
    if isinstance(errors, _Later):  # what JupyterHub imports of it by name: nothing here ever raises it
        errors.SQLAlchemyError = type("SQLAlchemyError", (Exception,), {})  # type: ignore[attr-defined]

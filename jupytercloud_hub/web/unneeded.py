"""Keeps the hub's database models out of a service process until something asks for them, which hardly happens.

JupyterHub's client for services (``jupyterhub.services.auth``) names ``jupyterhub.orm`` and ``jupyterhub.roles`` for
functions that only a hub calls; they bring Alembic, Mako and a second set of tables: 7 MiB in every service.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

HUB_ONLY = ("jupyterhub.orm", "jupyterhub.roles")


class _Later(ModuleType):
    """Stands for a module, and imports it at the first look at one of its names."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system's own questions
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_when_used(*names: str) -> None:
    """Put the import of modules off; nothing happens to those that are there already."""
    for name in names:
        sys.modules.setdefault(name, _Later(name))

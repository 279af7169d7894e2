"""The command ``jupytercloud``: each noun is imported only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from .. import __version__

COMMANDS = {
    "check": "check",
    "cull": "cull",
    "db": "db",
    "demo": "demo",
    "home-sites": "home_sites",
    "identity": "identity",
    "person": "person",
    "profiles": "profiles",
    "quotas": "quotas",
    "serve": "serve",
    "servers": "servers",
    "settings": "settings",
    "sites": "sites",
}


class _Lazy(click.Group):
    """Finds a command's module by its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[name]}", __package__)
        return module.command  # type: ignore[no-any-return]


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jupytercloud")
def main() -> None:
    """JupyterHub as one national federation.

    \b
    Examples:
      jupytercloud demo                                  the whole of it on this machine
      jupytercloud settings validate jupytercloud.yaml   every mistake with its line
      jupytercloud check --config jupytercloud.yaml      is this hub well?

    Exit codes: 0 done, 1 something is wrong with what was looked at, 2 wrong use.
    """

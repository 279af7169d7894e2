"""The command ``jupytercloud``: each noun is imported only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from .. import __version__

COMMANDS = {
    "check": ("check", "Is this hub well? Each finding with its mend."),
    "cull": ("cull", "Which servers would be stopped, and why."),
    "db": ("db", "Upgrade and look at the database."),
    "demo": ("demo", "A whole federation on this machine."),
    "event": ("event", "A hub for a fair: made, warmed, closed, purged."),
    "helm-values": ("helm_values", "What Argo CD will deploy: is it right?"),
    "home-sites": ("home_sites", "Where people's files are."),
    "homes": ("homes", "People's files: listed, packed away, deleted by hand only."),
    "identity": ("identity", "Who is let in, and why."),
    "images": ("images", "Images that the catalogue names, on the machines beforehand."),
    "person": ("person", "Export or erase what is kept about a person."),
    "profiles": ("profiles", "What people can start."),
    "quotas": ("quotas", "Who used how much."),
    "serve": ("serve", "Run a service."),
    "servers": ("servers", "Servers that run."),
    "settings": ("settings", "Validate, describe and show the configuration file."),
    "sites": ("sites", "Sites of the federation."),
    "stack": ("stack", "A Docker Swarm stack for one site."),
}


class _Lazy(click.Group):
    """Finds a command's module by its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[name][0]}", __package__)
        return module.command  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in sorted(COMMANDS.items())])


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

"""``jupytercloud serve``: runs a service, as the hub or an operator starts it."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ..contracts.text import Text
from ..settings.configure.names import services
from .common import USAGE, config_option, fail, load_or_fail

CLASSES = {
    "federation": ("..federation.service", "FederationService"),
    "agent": ("..federation.agent", "AgentService"),
    "culler": ("..culling.service", "CullerService"),
    "quotas": ("..quotas.service", "QuotasService"),
    "events": ("..events.service", "EventsService"),
}


@click.command()
@click.argument("name", type=click.Choice([*CLASSES, "all"]))
@config_option
def command(name: str, config: Path) -> None:
    """Run the service NAME, or all services of a small hub in one process.

    The hub starts services by itself (site.services: separate or together). By hand, give JUPYTERHUB_API_URL,
    JUPYTERHUB_BASE_URL, JUPYTERCLOUD_<NAME>_URL and JUPYTERCLOUD_<NAME>_API_TOKEN in the environment.

    \b
    Examples:
      jupytercloud serve quotas --config jupytercloud.yaml
      jupytercloud serve all --config jupytercloud.yaml
    """
    from ..web.unneeded import HUB_ONLY, do_without_sqlalchemy, import_when_used

    import_when_used(*HUB_ONLY)
    if name == "culler":
        do_without_sqlalchemy()
    from ..web.context import ContextError, ServiceContext
    from ..web.service import Service, run

    logging.basicConfig(level=logging.INFO, format="[%(levelname)1.1s %(asctime)s %(name)s] %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = load_or_fail(config)
    names: list[Any] = services(settings) if name == "all" else [name]
    if not names:
        fail(Text("this hub has no services: add quotas, culling or federation to {file}", file=str(config)), USAGE)
    running: list[Service] = []
    for one in names:
        module, cls = CLASSES[one]
        try:
            context = ServiceContext.from_environment(one, settings.state_folder)
        except ContextError as error:
            fail(error.text, USAGE)
        running.append(getattr(import_module(module, __package__), cls)(settings, context))
    asyncio.run(run(running))

"""``jupytercloud homes``: whose files are here, since when they were not used; packed away and deleted by hand only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contracts.text import Text
from ..contracts.units import format_bytes, format_duration, parse_duration
from ..hubapi.client import HubApi, HubApiError
from ..profiles.images import named_images
from ..settings import Settings
from ..web.service import utc_now
from .common import USAGE, config_option, fail, json_option, language, load_or_fail, print_json, print_table, say
from .servers import TOKEN, token_option, url_option

if TYPE_CHECKING:
    from ..spawners.homes_engine import EngineHome, HomeStore

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the homes, as this machine sees it; known for backend: local. Without it, the engine's volumes.",
)


image_option = click.option("--image", help="Image that the machine has, to read a volume with [default: a profile's].")


@click.group()
def command() -> None:
    """People's files: folders, Docker volumes, Kubernetes claims. Nothing else ever deletes them.

    A Docker engine knows only the volumes of its own machine: set DOCKER_HOST for each in turn.

    \b
    Examples:
      jupytercloud homes list --inactive "365 d"
      jupytercloud homes archive amelie --to /srv/archive
      jupytercloud homes delete amelie --yes
    """


@command.command("list")
@click.option("--inactive", help='Only homes that were not used for so long, such as "180 d".')
@folder_option
@token_option
@url_option
@config_option
@json_option
def list_(
    inactive: str | None, folder: Path | None, token: str | None, hub_api: str | None, config: Path, as_json: bool
) -> None:
    """List the homes, the longest unused first, with their size.

    A folder is unused since its last change. Volumes and claims have no such date: there the hub is asked when their
    owner was last active (JUPYTERHUB_API_TOKEN); an owner whom it does not know counts from when the volume was made.

    \b
    Example:
      jupytercloud homes list --inactive "180 d" --json
    """
    settings, age, now = load_or_fail(config), _age(inactive), utc_now()
    store = _store(settings, folder)
    if store is None:
        from ..spawners.homes_kept import kept

        homes = [Row(home.slug, home.slug, "", home.size, home.used) for home in kept(_folder(settings, folder))]
    else:
        if inactive and not token:
            fail(Text("A token is missing: set {name}.", name=TOKEN), USAGE)
        homes = asyncio.run(_at_engine(store, hub_api or f"{settings.site.url}hub/api", token))
    homes = [home for home in homes if home.used is None or now - home.used >= age]
    if as_json:
        print_json([home.dump() for home in homes])
        return
    heads = [Text("name"), Text("volume"), Text("machine"), Text("size"), Text("unused for")]
    rows: list[list[Any]] = [
        [
            home.name,
            home.volume,
            home.machine,
            "" if home.size is None else format_bytes(home.size),
            "" if home.used is None else format_duration(now - home.used, language()),
        ]
        for home in homes
    ]
    if store is None:
        heads, rows = [heads[0], *heads[3:]], [[row[0], *row[3:]] for row in rows]
    print_table([say(head) for head in heads], rows)


@command.command()
@click.argument("name")
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the archives.")
@image_option
@folder_option
@config_option
def archive(name: str, to: Path, image: str | None, folder: Path | None, config: Path) -> None:
    """Pack the home NAME into a tar file that only its owner's account reads; the home stays.

    \b
    Example:
      jupytercloud homes archive amelie --to /srv/archive
    """
    from ..spawners import homes_kept

    settings = load_or_fail(config)
    store = _store(settings, folder, image)
    try:
        if store is None:
            path = homes_kept.archive(_folder(settings, folder), name, to)
        else:
            path = asyncio.run(store.archive(_named(store, name), to))
    except homes_kept.HomeError as error:
        fail(error.text)
    click.echo(str(path))


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@folder_option
@config_option
def delete(name: str, yes: bool, folder: Path | None, config: Path) -> None:
    """Delete the home NAME with all files in it. There is no way back.

    \b
    Example:
      jupytercloud homes delete amelie
    """
    from ..spawners import homes_kept

    settings = load_or_fail(config)
    store = _store(settings, folder)
    try:
        home = None if store is None else _named(store, name)
        what = home.volume if home else str(_folder(settings, folder) / name)
        if not yes:
            click.confirm(say(Text("Delete {path} and all files in it?", path=what)), abort=True)
        if store is None or home is None:
            homes_kept.delete(_folder(settings, folder), name)
        else:
            asyncio.run(store.delete(home))
    except homes_kept.HomeError as error:
        fail(error.text)
    click.echo(say(Text("Deleted: {path}", path=what)))


@dataclass(frozen=True)
class Row:
    """One home as it is listed; what nobody knows is None."""

    name: str
    volume: str
    machine: str
    size: int | None
    used: datetime | None

    def dump(self) -> dict[str, Any]:
        """Return it for machines."""
        used = self.used.isoformat() if self.used else None
        return {"name": self.name, "volume": self.volume, "machine": self.machine, "bytes": self.size, "used": used}


def _store(settings: Settings, folder: Path | None, image: str | None = None) -> HomeStore | None:
    """Return the engine that keeps the homes, None where they are folders."""
    spawner = settings.spawner
    if folder is not None or spawner is None or spawner.backend == "local":
        return None
    if spawner.swarm is not None and spawner.backend == "swarm":
        from ..spawners.homes_swarm import SwarmHomes

        if spawner.swarm.home.type == "bind":
            return None
        named = [one.image for one in named_images(settings.profiles)]
        return SwarmHomes(settings.site.name, spawner.swarm.home, image or next(iter(named), None))
    from ..spawners.homes_kubernetes import KubernetesHomes

    if spawner.kubernetes.home.claim:
        return None
    if not spawner.kubernetes.namespace:
        fail(Text("Name the namespace in spawner.kubernetes.namespace: this command looks nowhere else."), USAGE)
    return KubernetesHomes(settings.site.name, spawner.kubernetes.namespace)


def _named(store: HomeStore, name: str) -> EngineHome:
    """Return a home by the slug of its owner, or by the volume's own name."""
    found = [home for home in asyncio.run(store.kept()) if name in (home.slug, home.volume)]
    if len(found) != 1:
        fail(Text("There is no home {name}; jupytercloud homes list shows all of them.", name=name))
    return found[0]


async def _at_engine(store: HomeStore, url: str, token: str | None) -> list[Row]:
    from ..spawners.base import slug

    homes = await store.kept()
    active: dict[str, datetime] = {}
    if token:
        try:
            async with HubApi(url, token) as api:
                async for user in api.users():
                    if user.get("last_activity"):
                        active[slug(user["name"])] = datetime.fromisoformat(user["last_activity"])
        except HubApiError as error:
            fail(Text("The hub does not answer at {url}: {error}", url=url, error=str(error)))
    rows = [
        Row(home.slug, home.volume, home.machine, home.size, active.get(home.slug, home.made) if token else None)
        for home in homes
    ]
    return sorted(rows, key=lambda row: (row.used.timestamp() if row.used else 0.0, row.name))


def _age(text: str | None) -> timedelta:
    if text is None:
        return timedelta(0)
    try:
        return parse_duration(text)
    except ValueError as error:
        fail(error.args[0], USAGE)


def _folder(settings: Settings, given: Path | None) -> Path:
    if given is not None:
        return given
    spawner = settings.spawner
    if spawner is None or spawner.backend != "local":
        fail(Text("Name the folder of the homes, as this machine sees it: --folder."), USAGE)
    return settings.folder / spawner.local.homes if spawner.local.homes else settings.state_folder / "homes"

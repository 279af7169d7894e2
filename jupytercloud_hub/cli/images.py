"""``jupytercloud images``: the images that the catalogue names, on the machines before anybody waits for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contracts.text import Text
from ..contracts.units import parse_duration
from ..profiles.images import NamedImage, named_images
from ..settings import Settings
from .common import USAGE, WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table, say

if TYPE_CHECKING:
    from ..spawners.prepull import OnNode, Puller

LOOK_SECONDS = 2.0


@click.group()
def command() -> None:
    """Images that the catalogue names; those that a person names herself are not among them.

    \b
    Examples:
      jupytercloud images list
      jupytercloud images prepull --wait "30 min"
      jupytercloud images status --json
      jupytercloud images remove
    """


@command.command("list")
@click.option("--helm-values", is_flag=True, help="As values of zero-to-jupyterhub's own pre-pullers.")
@config_option
@json_option
def list_(helm_values: bool, config: Path, as_json: bool) -> None:
    """List the images, with the profiles that start them.

    \b
    Examples:
      jupytercloud images list
      jupytercloud images list --helm-values > prepuller.values.yaml
    """
    images = _named(load_or_fail(config))
    if helm_values:
        import sys

        from ruamel.yaml import YAML

        yaml = YAML()
        yaml.dump(helm_pre_puller([named.image for named in images]), sys.stdout)
    elif as_json:
        print_json([{"image": named.image, "profiles": list(named.profiles)} for named in images])
    else:
        heads = [say(Text("image")), say(Text("profiles"))]
        print_table(heads, [[named.image, ", ".join(named.profiles)] for named in images])


@command.command()
@click.option("--wait", help='Longest wait for all machines, such as "30 min"; returns at once where it is missing.')
@config_option
@json_option
def prepull(wait: str | None, config: Path, as_json: bool) -> None:
    """Let every machine fetch the images of the catalogue; machines that join later do so too.

    Said again after a change of the catalogue or of a tag; images that it no longer names are not fetched any more.
    Exit code 1 where one cannot be fetched, or is not there when the wait is over.

    \b
    Examples:
      jupytercloud images prepull
      jupytercloud images prepull --wait "30 min" --json
    """
    settings = load_or_fail(config)
    puller, images = _puller(settings), _named(settings)
    if not images:
        fail(Text("The catalogue names no image."), USAGE)
    try:
        seconds = parse_duration(wait).total_seconds() if wait else 0.0
    except ValueError as error:
        fail(error.args[0], USAGE)
    found, done = asyncio.run(_pull(puller, images, seconds, quiet=as_json))
    _show(found, as_json)
    if any(one.state == "failed" for one in found) or (wait and not done):
        raise SystemExit(WRONG)


@command.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show how far the machines are; exit code 1 where an image cannot be fetched.

    \b
    Example:
      jupytercloud images status
    """
    found = asyncio.run(_look(_puller(load_or_fail(config))))
    _show(found, as_json)
    if any(one.state == "failed" for one in found):
        raise SystemExit(WRONG)


@command.command()
@config_option
@json_option
def remove(config: Path, as_json: bool) -> None:
    """Fetch nothing any more; what is on the machines stays until they clean up by themselves.

    \b
    Example:
      jupytercloud images remove
    """
    puller = _puller(load_or_fail(config))
    removed = asyncio.run(_remove(puller))
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(say(Text("Removed: {count}", count=removed)))


def helm_pre_puller(images: Sequence[str]) -> dict[str, Any]:
    """Return the chart's ``prePuller.extraImages``: its hook pulls at upgrades, its DaemonSet on machines that join."""
    extra = {}
    for number, image in enumerate(images):
        name, tag = image, "latest"
        if ":" in image.rpartition("/")[2]:
            name, _, tag = image.rpartition(":")
        extra[f"profile-image-{number}"] = {"name": name, "tag": tag}
    return {"prePuller": {"hook": {"enabled": True}, "continuous": {"enabled": True}, "extraImages": extra}}


def _named(settings: Settings) -> list[NamedImage]:
    return named_images(settings.profiles)


def _puller(settings: Settings) -> Puller:
    spawner = settings.spawner
    if spawner is not None and spawner.backend == "swarm":
        from ..spawners.swarm_prepull import SwarmPuller

        return SwarmPuller(settings.site.name, spawner)
    if spawner is not None and spawner.backend == "kubernetes":
        from ..spawners.kubernetes_prepull import KubernetesPuller

        if not spawner.kubernetes.namespace:
            fail(Text("Name the namespace in spawner.kubernetes.namespace: this command looks nowhere else."), USAGE)
        return KubernetesPuller(settings.site.name, spawner, spawner.kubernetes.namespace)
    fail(Text("This site starts processes, not containers: there is no image to fetch."), USAGE)


async def _look(puller: Puller) -> Sequence[OnNode]:
    return await puller.look()


async def _remove(puller: Puller) -> int:
    return await puller.remove()


async def _pull(
    puller: Puller, images: Sequence[NamedImage], seconds: float, *, quiet: bool
) -> tuple[Sequence[OnNode], bool]:
    from ..spawners.prepull import over

    await puller.pull(images)
    names = [named.image for named in images]
    deadline = asyncio.get_running_loop().time() + seconds
    told: list[str] = []
    while True:
        found = await puller.look()
        done = over(found, names)
        lines = _progress(found, names)
        if not quiet and lines != told:
            click.echo("\n".join(line for line in lines if line not in told), err=True)
            told = lines
        if done or asyncio.get_running_loop().time() >= deadline:
            return found, done
        await asyncio.sleep(LOOK_SECONDS)


def _progress(found: Sequence[OnNode], images: Sequence[str]) -> list[str]:
    there = Counter(one.image for one in found if one.state == "there")
    seen = Counter(one.image for one in found)
    return [
        say(Text("{image}: on {there} of {all} machines", image=image, there=there[image], all=seen[image]))
        for image in images
    ]


def _show(found: Sequence[OnNode], as_json: bool) -> None:
    from ..spawners.prepull import WORDS

    if as_json:
        print_json([{"image": one.image, "node": one.node, "state": one.state, "engine": one.engine} for one in found])
        return
    heads = [say(Text("image")), say(Text("machine")), say(Text("state")), ""]
    print_table(heads, [[one.image, one.node, say(WORDS[one.state]), one.engine] for one in found])

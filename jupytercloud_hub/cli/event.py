"""``jupytercloud event``: a hub for a fair, from one command to nothing left behind."""

from __future__ import annotations

import asyncio
import os
import time as time_
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from ..contracts.text import Text
from ..settings import Settings
from .common import USAGE, WRONG, config_option, fail, json_option, load_or_fail, print_json, print_table, say
from .event_planned import planned
from .event_pycoa import BUTTONS, give_pycoa

T = TypeVar("T")


@click.group()
def command() -> None:
    """A hub for a few days and for visitors without accounts."""


@command.command()
@click.argument("name")
@click.option("--from", "begins", required=True, help="First day, or first instant: 2027-03-06, 2027-03-06T10:00.")
@click.option("--to", "ends", required=True, help="Last day, or last instant.")
@click.option("--seats", type=click.IntRange(1, 2000), required=True, help="Visitors at a time.")
@click.option("--profile", required=True, help="What each visitor gets; pycoa comes with this package.")
@click.option("--backend", type=click.Choice(["local", "swarm", "kubernetes"]), default="local", show_default=True)
@click.option(
    "--site",
    "site_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="jupytercloud.yaml of the site that lends its catalogue and its engine.",
)
@click.option("--hours", default="", help="Hours of each day, such as 10:00-19:00.")
@click.option("--codes", type=click.IntRange(1, 20000), help="Codes for visitors; as many as seats by default.")
@click.option("--open-code", is_flag=True, help="One code on the poster for everybody, instead of tickets.")
@click.option("--url", default="", help="Public address of the hub. With backend local: this machine's own.")
@click.option("--image", default="", help="Image of the hub, on an engine; that of images/ by default.")
@click.option(
    "--certificate",
    type=click.Choice(["letsencrypt", "own"]),
    default="letsencrypt",
    show_default=True,
    help="On a Swarm: Traefik gets it by itself, or you put that of your institution's authority into secrets/.",
)
@click.option("--title", default="", help="Name for people; NAME by default.")
@click.option("--contact", default="", help="Address that pages name for help.")
@click.option("--memory", default="", help="What the backend has for servers, such as '256 GiB'.")
@click.option("--warm", type=click.IntRange(0, 2000), help="Seats that stand ready; a fifth of the seats by default.")
@click.option("--buttons", default="", help=f"Page of a server with the exercise by buttons, such as {BUTTONS}.")
@click.option(
    "--first-view",
    type=click.Choice(["profile", "buttons", "device"]),
    help="What opens first: the profile's page, the buttons, or the buttons on telephones alone (where there are any).",
)
@click.option("--fictitious-data", is_flag=True, help="The profile shows made-up data, and you know it.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Directory to write; ./NAME.")
@json_option
def create(**given: Any) -> None:
    """Write the directory of the event NAME: configuration, codes, poster, sheets, checklist.

    Nothing is written where it can't work; every reason is told, with its figures (exit code 1).

    \b
    Examples:
      jupytercloud event create salon --from 2027-03-06 --to 2027-03-07 --hours 10:00-19:00 --seats 12 \\
        --profile pycoa --fictitious-data
      jupytercloud event create fete --from 2027-10-02T14:00 --to 2027-10-02T18:00 --seats 200 --profile pycoa \\
        --backend swarm --site jupytercloud.yaml --url https://fete.example.fr/ --memory '512 GiB' --open-code
    """  # fmt: skip
    from ..events.create import ExistsError, write

    lender = load_or_fail(given["site_file"]) if given["site_file"] else None
    if lender is None and given["backend"] != "local":
        fail(Text("--site is missing: on {backend}, a site lends its engine.", backend=given["backend"]), USAGE)
    event, problems = planned(given, lender)
    if problems:
        if given["as_json"]:
            print_json({"written": None, "refused": [say(problem) for problem in problems]})
        else:
            for problem in problems:
                click.echo(say(problem), err=True)
        raise SystemExit(WRONG)
    folder = (given["folder"] or Path(given["name"])).resolve()
    try:
        written = write(event, folder)
    except ExistsError as error:
        fail(error.text)
    if lender is None:
        give_pycoa(folder)
    if given["as_json"]:
        print_json({"written": str(folder), "files": [path.name for path in written], "url": event.site.url})
        return
    click.echo(say(Text("{path}: {number} files.", path=str(folder), number=len(written))))
    click.echo(say(Text("codes.csv and codes.pdf open the doors: keep them as you keep money.")))
    begin = {
        "local": f"cd {folder} && jupyterhub -f jupyterhub_config.py",
        "swarm": str(folder / "deploy.sh"),
        "kubernetes": f"kubectl -n argocd apply -f {folder / 'application.yaml'}",
    }
    click.echo(say(Text("Next: {command}", command=begin[given["backend"]])))


@command.command()
@click.option("--seats", type=click.IntRange(0, 2000), help="Seats to have ready; what the calendar wants by default.")
@click.option("--wait", type=click.IntRange(1, 7200), default=600, show_default=True, help="Seconds at most.")
@config_option
@json_option
def warm(seats: int | None, wait: int, config: Path, as_json: bool) -> None:
    """Start seats now and wait until they are ready, with progress; exit code 1 if they are not in time.

    Run it on the hub's machine, by the hub's account, while the hub runs.

    \b
    Example:
      jupytercloud event warm --seats 40 --config salon/jupytercloud.yaml
    """
    settings = load_or_fail(config)
    figures = asyncio.run(_with_keeper(settings, lambda keeper: _warm(keeper, seats, wait, as_json)))
    if as_json:
        print_json(figures)
    if figures["ready"] < figures["wanted"]:
        raise SystemExit(WRONG)


async def _warm(keeper: Any, seats: int | None, wait: int, quiet: bool) -> dict[str, Any]:
    began = time_.monotonic()
    wanted = seats if seats is not None else max(keeper.event.warm, 0)
    shown = -1
    while True:
        await keeper.run(warm=wanted)
        figures = await keeper.figures()
        wanted = min(wanted, keeper.event.seats - figures.held)
        if figures.ready != shown and not quiet:
            shown = figures.ready
            passed = round(time_.monotonic() - began)
            text = Text("{ready} of {wanted} ready after {seconds} s, {failed} failed", ready=figures.ready,
                        wanted=wanted, seconds=passed, failed=figures.failed)  # fmt: skip
            click.echo(say(text))
        if figures.ready >= wanted or time_.monotonic() - began > wait:
            return {"ready": figures.ready, "wanted": wanted, "failed": figures.failed,
                    "seconds": round(time_.monotonic() - began, 1)}  # fmt: skip
        await asyncio.sleep(0.5)


@command.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Say how the event stands: doors, seats, queue.

    \b
    Example:
      jupytercloud event status --config salon/jupytercloud.yaml
    """
    settings = load_or_fail(config)
    found = asyncio.run(_with_keeper(settings, lambda keeper: keeper.figures()))
    shown = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(found).items()}
    if as_json:
        print_json(shown)
    else:
        print_table((say(Text("what")), say(Text("value"))), list(shown.items()))


@command.command()
@click.option("--now", "at_once", is_flag=True, help="Without the notice that visitors are promised.")
@config_option
def close(at_once: bool, config: Path) -> None:
    """End the event for good, before its hour: visitors are told, then servers stop; work is kept for its days.

    \b
    Example:
      jupytercloud event close --config salon/jupytercloud.yaml
    """
    settings = load_or_fail(config)

    async def call(keeper: Any) -> datetime:
        at = datetime.now(UTC) + (timedelta(0) if at_once else keeper.event.notice)
        await keeper.store.set_state("closed", at.isoformat())
        return at

    at = asyncio.run(_with_keeper(settings, call)).astimezone(settings.site.zone)
    click.echo(say(Text("The event ends at {when}.", when=at.isoformat(timespec="seconds"))))


@command.command()
@config_option
@json_option
def poster(config: Path, as_json: bool) -> None:
    """Print poster.pdf and codes.pdf anew, from jupytercloud.yaml as it is now and the codes of codes.csv.

    For another address, title or date. Codes that were handed out stay good.

    \b
    Example:
      jupytercloud event poster --config salon/jupytercloud.yaml
    """
    from ..events.codes import PLAIN
    from ..events.create import print_again

    settings = load_or_fail(config)
    if settings.event is None:
        fail(Text("{file} is no event's: its section event: is missing", file=str(settings.file)), USAGE)
    try:
        written = print_again(settings.site, settings.event, settings.folder)
    except FileNotFoundError:
        fail(Text("{path} is missing: its codes were purged, or are kept elsewhere", path=str(settings.folder / PLAIN)))
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        click.echo(say(Text("Written: {path}", path=str(path))))


@command.command()
@click.option("--yes", is_flag=True, help="Do not ask; also before the links of the visitors have expired.")
@config_option
@json_option
def purge(yes: bool, config: Path, as_json: bool) -> None:
    """Erase everything of the visitors and write attestation.json; go on where an earlier purge was interrupted.

    Run it on the hub's machine, by the hub's account, while the hub runs. Exit code 1 if anything is found
    afterwards.

    \b
    Example:
      jupytercloud event purge --config salon/jupytercloud.yaml
    """
    from ..events import purge as purging
    from ..events.hours import end_of
    from ..spawners.homes_kept import HomeError

    settings = load_or_fail(config)

    async def call(keeper: Any) -> Any:
        over = end_of(keeper.event, keeper.zone, await keeper.store.orders()) + keeper.event.links
        if datetime.now(UTC) < over and not yes:
            until = over.astimezone(settings.site.zone).isoformat(timespec="minutes")
            fail(Text("visitors may fetch their work until {until}; --yes purges now", until=until))
        return await purging.Purge(settings, keeper, keeper.store, lambda: datetime.now(UTC)).run()

    try:
        attestation = asyncio.run(_with_keeper(settings, call))
    except (TimeoutError, HomeError) as error:
        why = say(error.text) if isinstance(error, HomeError) else say(Text("a server takes long to stop"))
        fail(Text("The purge is not finished: {why}. Run it again: it goes on from there.", why=why))
    if as_json:
        print_json(attestation)
    else:
        for what, number in attestation["removed"].items():
            click.echo(f"{what}: {number}")
        click.echo(say(Text("Written: {path}", path=str(purging.attestation(settings)))))
    if attestation["found_afterwards"]:
        raise SystemExit(WRONG)


async def _with_keeper(settings: Settings, call: Callable[[Any], Awaitable[T]]) -> T:
    """Do something with the event's seats, as the hub's own client."""
    from ..events.service import keeper_of
    from ..events.store import PART, Store
    from ..hubapi import HubApi, HubApiError
    from ..settings.configure.event import TOKEN_FILE
    from ..storage import Database
    from ..web.context import kept_secret

    if settings.event is None:
        fail(Text("{file} is no event's: its section event: is missing", file=str(settings.file)), USAGE)
    token = kept_secret(settings.state_folder, TOKEN_FILE).hex()
    database = Database(settings.database_url(PART), PART)
    await database.upgrade()
    # In a container the hub is reached on its own network, which may not lead to its public address.
    url = os.environ.get("JUPYTERHUB_API_URL") or f"{settings.site.url}hub/api"
    try:
        async with HubApi(url, token, timeout=60) as api:
            return await call(keeper_of(settings, api, Store(database), None, lambda: datetime.now(UTC)))
    except HubApiError as error:
        fail(Text("The hub at {url} did not do it: {error}", url=url, error=str(error)))
    finally:
        await database.close()

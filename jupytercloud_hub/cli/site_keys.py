"""``jupytercloud sites add|join|key|rotate-key|remove-key|remove``: which sites belong to the federation, by which key.

At the portal the commands write into its database, and the service that runs follows within seconds; on a site
they speak to the portal's API, signed with the site's key.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.text import Localized, Text
from ..federation import registry, signing
from ..federation.signing import KEY_FILE
from ..settings.federation import FederationSite
from .at_portal import member, note, now, own_key, portal, reason_option, tell_portal, with_database
from .common import USAGE, config_option, fail, load_or_fail, say


@click.command()
@click.argument("name")
@click.option("--url", default="", help="Public address of the site's hub; not for a site of the settings file.")
@click.option("--title", default="", help="Name for people.")
@click.option("--weight", default=1.0, show_default=True, help="Its places, as long as it does not tell them.")
@click.option("--operator", "operators", multiple=True, help="User, or group:NAME, who may drain it; may be repeated.")
@reason_option
@config_option
def add(name: str, url: str, title: str, weight: float, operators: tuple[str, ...], reason: str, config: Path) -> None:
    """Register the site NAME at the portal and print the token with which it joins, once, within two days.

    For a site that stands in the settings file, only the token is made.

    \b
    Example:
      jupytercloud sites add reims --url https://reims.example.fr/ --reason "joined on 3 March"
    """
    settings = portal(load_or_fail(config))
    in_file = settings.federation is not None and name in {site.name for site in settings.federation.sites}
    if in_file == bool(url):
        if in_file:
            fail(Text("{site} stands in the settings file: its address is changed there", site=name), USAGE)
        fail(Text("--url is needed for a site that does not stand in the settings file"), USAGE)
    site = None if in_file else _site(name, url, title, weight, operators)

    async def work(session: AsyncSession) -> tuple[str, datetime]:
        if site is not None:
            await registry.put_site(session, site, now())
            await note(session, "site put", name, reason)
        await note(session, "join token", name, "")
        return await registry.new_join(session, name, now())

    token, expires = with_database(settings, work)
    until = f"{expires.astimezone(settings.site.zone):%Y-%m-%d %H:%M}"
    click.echo(say(Text("On the site, before {until}:", until=until)))
    click.echo(f"  jupytercloud sites join {token}")


@click.command()
@config_option
def key(config: Path) -> None:
    """Print this site's public key; it is made when there is none.

    \b
    Example:
      jupytercloud sites key
    """
    click.echo(signing.public_text(own_key(member(load_or_fail(config)))))


@click.command()
@click.argument("token")
@config_option
def join(token: str, config: Path) -> None:
    """Bring this site's public key to the portal, with the TOKEN that `sites add` printed there.

    \b
    Example:
      jupytercloud sites join Zc3…
    """
    settings = member(load_or_fail(config))
    answer = tell_portal(settings, "join", {"token": token, "key": signing.public_text(own_key(settings))})
    click.echo(say(Text("{site} has joined, with key {key}.", site=answer["site"], key=answer["key"])))


@click.command("rotate-key")
@config_option
def rotate_key(config: Path) -> None:
    """Make a new key for this site and tell the portal, signed with the present one (good for one hour more).

    \b
    Example:
      jupytercloud sites rotate-key
    """
    settings = member(load_or_fail(config))
    link = settings.federation.portal if settings.federation else None
    if link is None or link.key is not None:
        fail(Text("this site's key is kept elsewhere (federation.portal.key): change it there"), USAGE)
    path = settings.state_folder / KEY_FILE
    waiting = path.with_name(f"{KEY_FILE}.next")
    present, following = own_key(settings), signing.kept_key(waiting)  # kept: an interrupted rotation goes on
    answer = tell_portal(
        settings, f"sites/{settings.site.name}/keys", {"key": signing.public_text(following)}, signed_by=present
    )
    waiting.replace(path)
    click.echo(say(Text("The key is now {key}.", key=answer["key"])))


@click.command("remove-key")
@click.argument("name")
@click.argument("short")
@reason_option
@config_option
def remove_key(name: str, short: str, reason: str, config: Path) -> None:
    """Make the key SHORT of the site NAME worthless at once, at the portal.

    \b
    Example:
      jupytercloud sites remove-key reims 0f3a9c21b7de --reason "laptop stolen"
    """

    async def work(session: AsyncSession) -> bool:
        found = await registry.end_key(session, name, short)
        if found:
            await note(session, "key remove", name, f"{short} {reason}".strip())
        return found

    if not with_database(portal(load_or_fail(config)), work):
        fail(Text("{site} has no key {key} here; one of the settings file is taken away there.", site=name, key=short))


@click.command()
@click.argument("name")
@reason_option
@config_option
def remove(name: str, reason: str, config: Path) -> None:
    """Take the registered site NAME out of the federation, with its keys. Home sites of people stay as they are.

    \b
    Example:
      jupytercloud sites remove reims --reason "left on 1 June"
    """
    settings = portal(load_or_fail(config))
    if settings.federation and name in {site.name for site in settings.federation.sites}:
        fail(Text("{site} is changed or removed there, and the service started again.", site=name), USAGE)

    async def work(session: AsyncSession) -> bool:
        found = await registry.remove_site(session, name)
        if found:
            await note(session, "site remove", name, reason)
        return found

    if not with_database(settings, work):
        fail(Text("No site is called {site}.", site=name))


COMMANDS = (add, key, join, rotate_key, remove_key, remove)


def _site(name: str, url: str, title: str, weight: float, operators: tuple[str, ...]) -> FederationSite:
    try:
        return FederationSite(
            name=name, url=url, title=Localized(title) if title else None, weight=weight, operators=operators
        )
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()), USAGE)

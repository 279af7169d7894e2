"""Guests at a real hub and a real provider: invited by the command, let in once, until the day that was said."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from jupytercloud_hub.auth.guest_store import GuestStore
from jupytercloud_hub.cli.identity import command
from jupytercloud_hub.identity.guests import PREFIX
from tests.integration.test_login_lasting import ALICE, World, with_running_server, with_token
from tests.integration.test_login_renater import TRAITS
from tests.support.hub import TestHub, text_of
from tests.support.login import Browser

SETTINGS = """
site: {{name: hub, url: "{url}", contact: aide@hub.example}}
auth:
  issuer: {issuer}
  client_id: hub
  client_secret: {{env: X}}
  guests: {{longest: 100 d}}
institutions: [{{name: grenoble, home_organizations: [univ-grenoble.example]}}]
database: {{url: "sqlite:///jupytercloud.sqlite"}}
"""
UNTIL = (datetime.now(UTC) + timedelta(days=40)).date()
GUESTS: dict[str, Any] = {**TRAITS, "guests": True, "auth_refresh_age": 1}
KARIM = ("karim", "institut-inconnu.example")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def cli(world: World, *arguments: str, code: int = 0) -> str:
    path = world.folder / "jupytercloud.yaml"
    path.write_text(SETTINGS.format(url=world.url.removesuffix("hub/"), issuer=world.issuer))
    given = [*arguments, "--config", str(path)]
    result = await asyncio.to_thread(
        CliRunner(env={"LC_ALL": "en_US.UTF-8"}).invoke, command, given
    )  # it has a loop of its own
    assert result.exit_code == code, result.output
    return result.output.strip()


async def invite(world: World, *more: str) -> str:
    return await cli(world, "invite", "--sponsor", ALICE, "--until", str(UNTIL), *more)


async def accept(browser: Browser, link: str, person: tuple[str, str] = KARIM) -> Any:
    """Open an invitation, follow its button, log in; return the page where that ends."""
    page = await browser.get(link)
    assert page.status_code == 200, text_of(page.text)
    button = re.search(r'class="button"[^>]* href="([^"]+)"', page.text)
    assert button, page.text
    page = await browser.get(html.unescape(button[1]))
    return await browser.authenticate(page, *person, stop="/spawn")


def guest_of(hub: TestHub) -> Any:
    (user,) = (user for user in hub.users.values() if user.name.startswith(PREFIX))
    return user


def hub_store(hub: TestHub, now: Callable[[], datetime] | None = None) -> GuestStore:
    database = hub.authenticator._store.database
    return GuestStore(database, now) if now else GuestStore(database)


async def test_an_invitation_lets_in_one_person_once_until_its_day(world: World) -> None:
    async with world.running(), world.hub(**GUESTS) as hub:
        async with Browser(hub) as sponsor:
            await sponsor.log_in("alice", "univ-grenoble.example", stop="/spawn")
        link = await invite(world, "--group", "summer-school", "--note", "for Karim")
        secret = link.partition("token=")[2]
        kept = (world.folder / "jupytercloud.sqlite").read_bytes() + b"".join(
            one.read_bytes() for one in world.folder.glob("jupytercloud.sqlite-wal")
        )
        assert secret.encode() not in kept, "nobody who reads the database can use a link"
        async with Browser(hub) as browser:
            page = await browser.log_in(*KARIM)
            assert "organization-unknown" in page.text, "without an invitation nothing has changed"
        async with Browser(hub, "en") as browser:
            shown = text_of((await browser.get(link)).text)
            assert f"{ALICE} invites you" in shown
            page = await accept(browser, link)
            assert "/spawn" in page.headers["location"], text_of(page.text)
            user = guest_of(hub)
            assert {group.name for group in user.groups} == {"guests", "summer-school"}
            published = user.user_info["jupytercloud"]
            assert (published["home_organization"], published["affiliations"]) == (None, []), "nothing else is believed"
            again = await browser.get("login", stop="/spawn")
            assert again.is_redirect, "and she comes back without the link"
        async with Browser(hub, "en") as second:
            page = await second.get(link)
            assert page.status_code == 403
            assert "was used already" in text_of(page.text)
        (row,) = json.loads(await cli(world, "guests", "--json"))
        assert (row["state"], row["sponsor"], row["username"]) == ("guest", ALICE, user.name)
        assert row["note"] == "for Karim"
        paris = datetime.fromisoformat(row["ends_at"]).astimezone(ZoneInfo("Europe/Paris"))
        assert (paris.date(), paris.hour) == (UNTIL, 23), "to the end of the day that was named"


async def test_a_guest_s_access_ends_on_the_day_whatever_she_has_open(world: World) -> None:
    async with world.running(), world.hub(**GUESTS) as hub:
        async with Browser(hub) as sponsor:
            await sponsor.log_in("alice", "univ-grenoble.example", stop="/spawn")
        async with Browser(hub, "en") as browser:
            await accept(browser, await invite(world))
            user = guest_of(hub)
            token = await with_running_server(hub, user.name)
            servers_own = user.spawner.api_token
            assert await with_token(hub, token) == 200
            assert await hub.authenticator.reauthoriser.end_guests() == 0
            later = datetime.combine(UNTIL + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=3)

            async def in_time() -> GuestStore:
                return hub_store(hub, lambda: later)

            hub.authenticator.guest_store = in_time
            assert await hub.authenticator.refresh_user(user) is False, "at a refresh"
            assert await hub.authenticator.reauthoriser.end_guests() == 1, "and in the background"
            assert [await with_token(hub, one) for one in (token, servers_own)] == [403, 403]
            assert await browser.user() is None
            page = await browser.get("login")
            assert page.status_code == 403
            assert "Your guest account ended on" in text_of(page.text)
            assert await hub.authenticator.reauthoriser.end_guests() == 0, "once"


async def test_a_withdrawn_invitation_ends_at_once_and_a_new_one_opens_the_same_account(world: World) -> None:
    async with world.running(), world.hub(**GUESTS) as hub:
        async with Browser(hub) as sponsor:
            await sponsor.log_in("alice", "univ-grenoble.example", stop="/spawn")
        unused = await invite(world)
        link = await invite(world)
        async with Browser(hub) as browser:
            await accept(browser, link)
            user, name = guest_of(hub), guest_of(hub).name
            for row in json.loads(await cli(world, "guests", "--json")):
                await cli(world, "revoke", row["id"])
                await cli(world, "revoke", row["id"], code=1)
            assert await hub.authenticator.refresh_user(user) is False
            assert await browser.user() is None
            page = await browser.get(unused)
            assert page.status_code == 403
            assert "expiré ou a été retirée" in page.text
            assert "Le lien n" in text_of((await browser.get("oidc/invitation?token=nothing")).text)
            assert (await browser.get("oauth_login?token=nothing")).status_code == 403
        async with Browser(hub) as browser:
            await accept(browser, await invite(world))
            assert guest_of(hub).name == name, "her files are where they were"


async def test_an_invitation_overrules_no_other_refusal_and_is_kept_by_who_needs_none(world: World) -> None:
    denied = [*TRAITS["institutions"], {"name": "no", "home_organizations": ["institut-inconnu.example"], "deny": True}]
    async with world.running(), world.hub(**{**GUESTS, "institutions": denied}) as hub:
        async with Browser(hub) as browser:
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
            link = await invite(world)
            await browser.get(f"{world.issuer}/session/end")
        async with Browser(hub) as browser:
            page = await accept(browser, link)
            assert page.status_code == 403
            assert "organization-denied" in page.text
        async with Browser(hub) as browser:
            await accept(browser, link, ("benoit", "univ-grenoble.example"))
            assert (await browser.user() or {})["name"] == "benoit@univ-grenoble.example"
        hub.authenticator.guest_idps = ["*.elsewhere.example"]
        async with Browser(hub) as browser:
            page = await accept(browser, link, ("hugo", "ens-plateau.example"))
            assert "organization-unknown" in page.text, "not one of the identity providers that guests may be of"
        assert [row["state"] for row in json.loads(await cli(world, "guests", "--json"))] == ["open"]


async def test_the_command_refuses_what_cannot_be_meant_and_pages_are_not_there_by_default(world: World) -> None:
    async with world.running(), world.hub() as hub, Browser(hub) as browser:
        assert (await browser.get("oidc/invitation?token=x")).status_code == 404
        await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
        assert "never logged in" in await cli(world, "invite", "--sponsor", "nobody", "--until", str(UNTIL), code=1)
        far = str(UNTIL + timedelta(days=90))
        assert "100 days" in await cli(world, "invite", "--sponsor", ALICE, "--until", far, code=2)
        assert "gone by" in await cli(world, "invite", "--sponsor", ALICE, "--until", "2020-01-01", code=2)

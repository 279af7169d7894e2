"""A federated login beside the code, at the demonstration's real OpenID provider."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from jupytercloud_hub.settings.loading import load
from jupytercloud_hub.settings.problems import SettingsError
from tests.support.hub import stop_hub, text_of
from tests.support.login import CLIENT_ID, CLIENT_SECRET, Browser, client_metadata
from tests.support.ports import free_port
from tests.support.provider import provider

from .conftest import Fair, make_event, start

GRENOBLE = "univ-grenoble.example"
VISITORS = 2


def write_login(folder: Path, issuer: str, **login: Any) -> Path:
    """Add the sections of a login to an event's settings, as the docs say."""
    (folder / "client_secret").write_text(CLIENT_SECRET)
    yaml, file = YAML(), folder / "jupytercloud.yaml"
    settings = yaml.load(file)
    settings["auth"] = {"issuer": issuer, "client_id": CLIENT_ID, "client_secret": {"file": "client_secret"},
                        "username": "preferred_username"}  # fmt: skip
    settings["institutions"] = [
        {"name": "grenoble", "home_organizations": [GRENOBLE], "affiliations": ["faculty", "staff", "student"],
         "groups": [{"name": "enseignants", "affiliations": ["faculty"]}]},
    ]  # fmt: skip
    settings["event"]["login"] = {
        "organizers": {"groups": ["enseignants"]}, "helpers": {"usernames": ["chloe"]}, "visitors": VISITORS, **login,
    }  # fmt: skip
    with file.open("w") as stream:
        yaml.dump(settings, stream)
    return file


@pytest.fixture
async def fair(tmp_path: Path) -> AsyncIterator[Fair]:
    port = free_port()
    folder = make_event(tmp_path, "--codes", "6", "--url", f"http://127.0.0.1:{port}/salon/")
    hub = f"http://127.0.0.1:{port}/salon/hub/"
    async with provider(tmp_path, clients=[client_metadata(hub)]) as issuer:
        write_login(folder, issuer)
        made = await start(folder, port=port)
        yield made
        await stop_hub(made.app)


async def account(browser: Browser) -> str:
    return str(((await browser.user()) or {}).get("name", ""))


async def test_the_code_comes_first_and_the_login_stands_beside_in_both_languages(fair: Fair) -> None:
    for language, words in (("fr", "Se connecter avec mon établissement"), ("en", "Log in with my institution")):
        async with Browser(fair.app, language) as browser:
            page = text_of((await browser.get()).text)
            assert page.index({"fr": "Code de votre ticket", "en": "Code of your ticket"}[language]) < page.index(words)


async def test_a_visitor_with_an_account_of_an_institution_gets_a_seat_and_keeps_it(fair: Fair) -> None:
    async with Browser(fair.app) as telephone, Browser(fair.app) as tablet, Browser(fair.app) as ticket:
        await telephone.log_in("benoit", GRENOBLE, address="oauth_login", stop="event/enter")
        assert await account(telephone) == "seat-0001"
        await tablet.log_in("benoit", GRENOBLE, address="oauth_login", stop="event/enter")
        assert await account(tablet) == "seat-0001", "the same person, on another device"
        assert "prompt=login" in "".join(tablet.visited), "a stand's tablet knows nobody"
        async with fair.visitor() as other:
            await other.give(fair.codes["visitor"][0])
            assert await other.seat() == "seat-0002", "a code's seat is nobody else's"
        user = fair.app.users["seat-0001"]
        assert user.user_info["jupytercloud"] == {"event": "salon", "language": "fr", "seat": "assigned"}
        assert "benoit" not in str(user.user_info).lower()
        assert await user.get_auth_state() is None
        await ticket.get()


async def test_rules_say_who_organizes_and_who_helps(fair: Fair) -> None:
    expected = {"alice": ("organizer-", {"event-organizers"}), "chloe": ("helper-", {"event-helpers"})}
    for login, (prefix, groups) in expected.items():
        async with Browser(fair.app) as browser:
            page = await browser.log_in(login, GRENOBLE, address="oauth_login", stop="services/events/")
            assert page.headers["location"].endswith("/salon/services/events/")
            name = await account(browser)
            assert name.startswith(prefix)
            assert {group.name for group in fair.app.users[name].groups} == groups
            await fair.authenticator.store()


async def test_whom_the_rules_do_not_let_in_gets_a_page_that_says_so(fair: Fair) -> None:
    async with Browser(fair.app) as browser:
        page = await browser.log_in("emily", "univ-paris-saclay.example", address="oauth_login")
        assert (page.status_code, await account(browser)) == (403, "")
        assert "ne participe pas" in text_of(page.text)


async def test_no_more_come_in_by_login_than_may(fair: Fair) -> None:
    store = await fair.authenticator.store()
    for number in range(VISITORS):
        assert await store.know_login(f"{number:064x}", "visitor-login", VISITORS)
    async with Browser(fair.app) as browser:
        page = await browser.log_in("benoit", GRENOBLE, address="oauth_login")
        assert page.status_code == 403
        assert "Demandez un code sur le stand" in text_of(page.text)


async def test_nothing_of_the_person_is_kept_and_after_a_purge_nobody_comes_in(fair: Fair) -> None:
    async with Browser(fair.app) as browser:
        await browser.log_in("benoit", GRENOBLE, address="oauth_login", stop="event/enter")
    found = [path for path in fair.folder.rglob("*.sqlite") if path.stat().st_size]
    assert found
    for path in [*found, *fair.folder.rglob("*.sqlite-wal"), *fair.folder.rglob("*.log")]:
        assert b"benoit" not in path.read_bytes().lower(), path
    with sqlite3.connect(fair.folder / "state" / "jupytercloud.sqlite") as database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    assert not [name for name in tables if name.startswith("auth_")], "whose username is whose is not written down"
    store = await fair.authenticator.store()
    await store.forget_codes()
    async with Browser(fair.app) as browser:
        page = await browser.log_in("benoit", GRENOBLE, address="oauth_login")
        assert page.status_code == 403
        assert await store.codes() == 0, "a purge stays one"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"auth": None}, "needs auth"),
        ({"institutions": []}, "need institutions"),
        ({"leavers": {"export": "1 d"}}, "are a site's"),
    ],
)
def test_a_login_that_can_not_work_is_said_when_settings_are_read(
    tmp_path: Path, change: dict[str, Any], rule: str
) -> None:
    file = write_login(make_event(tmp_path), "https://login.example.fr")
    yaml = YAML()
    settings = yaml.load(file)
    if "leavers" in change:
        settings["auth"]["leavers"] = change["leavers"]
    else:
        settings |= change
    with file.open("w") as stream:
        yaml.dump(settings, stream)
    with pytest.raises(SettingsError) as refused:
        load(file)
    assert any(rule in str(problem.rule) for problem in refused.value.problems)

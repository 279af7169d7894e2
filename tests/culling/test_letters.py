"""Warnings by e-mail: to whom an address is known, once, in her language, and again when the server was away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry

from jupytercloud_hub.culling.letters import Letters
from jupytercloud_hub.culling.metrics import Metrics
from jupytercloud_hub.culling.passes import Culler
from jupytercloud_hub.culling.store import Store
from jupytercloud_hub.hubapi.client import HubApi
from jupytercloud_hub.settings.culling import CullingSettings
from jupytercloud_hub.settings.mail import MailSettings
from jupytercloud_hub.settings.site import SiteSettings
from jupytercloud_hub.storage.plain import PlainDatabase
from jupytercloud_hub.web.mail import Mailer
from tests.support.mailbox import Mailbox, mailbox

from .fakes import Clock, FakeHub, opened

MIN, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = {
    "rules": [{"name": "ordinary", "title": {"fr": "Ordinaire", "en": "Ordinary"}, "idle": "1 h"}],
    "warn": "10 min",
}
SITE = {"name": "grenoble", "title": "Grenoble", "url": "https://grenoble.example.fr/", "contact": "aide@example.fr"}


class PeopleHub(FakeHub):
    """A hub whose people have released addresses."""

    def _model(self, name: str) -> dict[str, Any]:
        info = {"anna": ("anna@example.fr", "fr"), "ben": ("ben@example.fr", "en")}.get(name)
        told = {"email": info[0], "jupytercloud": {"language": info[1]}} if info else {}
        return {**super()._model(name), "user_info": told}


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as running:
        yield running


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[PlainDatabase]:
    database = await opened(f"sqlite:///{tmp_path / 'culling.sqlite'}")
    yield database
    await database.close()


def culler(hub: FakeHub, database: PlainDatabase, clock: Clock, box: Mailbox) -> Culler:
    api = HubApi("http://hub.test/hub/api", "token", transport=hub)
    mailer = Mailer(MailSettings.model_validate(box.settings), Path(), clock)
    letters = Letters(mailer, api, SiteSettings.model_validate(SITE), f"{SITE['url']}services/culler/")
    settings = CullingSettings.model_validate(RULES)
    metrics = Metrics(CollectorRegistry())
    return Culler(settings, ZoneInfo("Europe/Paris"), api, Store(database), metrics, clock, letters=letters)


async def test_each_owner_is_written_to_once_in_her_language(database: PlainDatabase, box: Mailbox) -> None:
    hub, clock = PeopleHub(), Clock()
    for name in ("anna", "ben", "carl"):  # nobody knows carl's address
        hub.add(name, idle=55 * MIN, age=3 * HOUR)
    passes = culler(hub, database, clock, box)
    for _ in range(2):
        await passes.run()
        clock.tick(minutes=1)
    french, english = sorted(box.letters, key=lambda letter: str(letter["To"]))
    assert (french["To"], english["To"]) == ("anna@example.fr", "ben@example.fr")
    assert french["Subject"] == "Grenoble : votre serveur s'arrête le 20/11 13:10"
    words = french.get_content()
    assert "Arrêt après 1 h sans activité (Ordinaire)." in words
    assert "https://grenoble.example.fr/services/culler/" in words
    assert "aide@example.fr" in words
    assert "Stopped after 1 h without activity (Ordinary)." in english.get_content()


async def test_a_mail_server_that_was_away_gets_the_letter_at_the_next_pass(
    database: PlainDatabase, box: Mailbox
) -> None:
    hub, clock = PeopleHub(), Clock()
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    hub.add("ben", idle=55 * MIN, age=3 * HOUR)
    passes = culler(hub, database, clock, box)
    box.refused = {"anna@example.fr": "451 try again later"}
    await passes.run()
    assert [letter["To"] for letter in box.letters] == ["ben@example.fr"]
    box.refused = {}
    clock.tick(minutes=1)
    await passes.run()
    assert [letter["To"] for letter in box.letters] == ["ben@example.fr", "anna@example.fr"]


async def test_who_came_back_before_the_letter_went_is_not_written_to(database: PlainDatabase, box: Mailbox) -> None:
    hub, clock = PeopleHub(), Clock()
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    passes = culler(hub, database, clock, box)
    box.refused = {"anna@example.fr": "451 try again later"}
    await passes.run()
    box.refused = {}
    clock.tick(minutes=1)
    hub.add("anna", idle=timedelta(0), age=3 * HOUR)
    await passes.run()
    assert box.letters == []


async def test_the_address_stands_in_no_table(database: PlainDatabase, box: Mailbox, tmp_path: Path) -> None:
    hub = PeopleHub()
    hub.add("anna", idle=55 * MIN, age=3 * HOUR)
    await culler(hub, database, Clock(), box).run()
    assert box.letters
    await database.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("culling.sqlite*"))
    assert b"anna" in kept
    assert b"example.fr" not in kept

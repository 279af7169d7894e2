"""Warnings at 80 and 100 % by e-mail: each once, in the person's language, on both databases."""

from __future__ import annotations

from pathlib import Path

from jupytercloud_hub.quotas.ledger import Ledger
from jupytercloud_hub.quotas.letters import Letters
from jupytercloud_hub.settings.mail import MailSettings
from jupytercloud_hub.settings.quotas import Budget, Limit
from jupytercloud_hub.settings.site import SiteSettings
from jupytercloud_hub.web.mail import Mailer
from tests.support.mailbox import mailbox

from .helpers import ANNA, T0, FakeHub, reserve
from .test_collector import World

BUDGET = Budget(name="students", contact="budget@example.fr", limits=(Limit(units=2, hard=True),))
SITE = SiteSettings(name="grenoble", title="Grenoble", url="https://grenoble.example.fr/")


async def test_at_80_and_at_100_percent_a_person_is_written_to_once_each(ledger: Ledger) -> None:
    hub = FakeHub()
    world = World(ledger, hub, BUDGET)
    async with mailbox() as box:
        mailer = Mailer(MailSettings.model_validate(box.settings), Path(), lambda: world.now)
        letters = Letters(mailer, world.api, world.notices, SITE, "https://grenoble.example.fr/services/quotas/")
        await world.door.answer(reserve(), T0)
        hub.start()
        hub.users["anna"]["user_info"]["email"] = "anna@example.fr"
        sent = []
        for minutes in (30, 19, 1, 9, 2, 5):  # two cores: a unit in half an hour, 80 % after 48 minutes
            await world.look(minutes)
            sent.append(await letters.send(world.now))
        assert sent == [0, 1, 0, 0, 1, 0]
        assert [letter["To"] for letter in box.letters] == ["anna@example.fr"] * 2
        assert [str(letter["Subject"]) for letter in box.letters] == [
            "Grenoble : 80 % de votre budget est consommé",
            "Grenoble : 100 % de votre budget est consommé",
        ]
        words = box.letters[1].get_content()
        assert "services/quotas/" in words
        assert "budget@example.fr" in words
    await world.api.close()


async def test_who_has_no_address_is_asked_about_once_and_a_refused_letter_is_sent_again(ledger: Ledger) -> None:
    hub = FakeHub()
    world = World(ledger, hub, BUDGET)
    async with mailbox() as box:
        mailer = Mailer(MailSettings.model_validate(box.settings), Path(), lambda: world.now)
        letters = Letters(mailer, world.api, world.notices, SITE, "page")
        for name in ("anna", "ben"):
            person = ANNA.model_copy(update={"username": name})
            await world.door.answer(reserve(person), T0)
            hub.start(person)
        hub.users["ben"]["user_info"] = {"email": "ben@example.fr", "jupytercloud": {"language": "en"}}
        box.refused = {"ben@example.fr": "450 busy"}
        await world.look(50)
        hub.calls.clear()
        assert await letters.send(world.now) == 0
        box.refused = {}
        assert await letters.send(world.now) == 1
        assert [call for call in hub.calls if call == "users/anna"] == ["users/anna"]
        assert "80 % of your budget is used" in str(box.letters[0]["Subject"])
    await world.api.close()

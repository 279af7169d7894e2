"""Warnings at 80 and 100 % by e-mail: each once, in the person's language, on both databases."""

from __future__ import annotations

from pathlib import Path

from jupytercloud_hub.quotas.ledger import Ledger
from jupytercloud_hub.quotas.letters import Letters
from jupytercloud_hub.settings.mail import MailSettings
from jupytercloud_hub.settings.quotas import Budget, Limit, Managers
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


GROUP = Budget(name="masters", account="group", limits=(Limit(units=2, hard=True),))
MANAGERS = (Managers(people=("carla",), members_of=("teachers",), groups=("m2",)),)


async def test_those_who_manage_a_groups_budget_are_written_to_each_in_her_language(ledger: Ledger) -> None:
    hub = FakeHub()
    world = World(ledger, hub, GROUP)
    async with mailbox() as box:
        mailer = Mailer(MailSettings.model_validate(box.settings), Path(), lambda: world.now)
        page = "https://grenoble.example.fr/services/quotas/"
        letters = Letters(mailer, world.api, world.notices, SITE, page, MANAGERS)
        await world.door.answer(reserve(), T0)
        hub.start()
        for name, groups, language in (("anna", ["m2"], "fr"), ("carla", [], "fr"), ("dan", ["teachers"], "en")):
            model = hub.users.setdefault(name, {"name": name, "servers": {}})
            model["groups"] = groups
            model["user_info"] = {"email": f"{name}@example.fr", "jupytercloud": {"language": language}}
        hub.users["eva"] = {"name": "eva", "groups": ["teachers"], "servers": {}}  # no address was released
        await world.look(50)
        hub.away = True
        assert await letters.send(world.now) == 0
        hub.away = False
        assert [await letters.send(world.now) for _ in range(2)] == [2, 0]
        written = {str(letter["To"]): letter for letter in box.letters}
        subjects = {to: " ".join(str(letter["Subject"]).split()) for to, letter in written.items()}
        assert written.keys() == {"carla@example.fr", "dan@example.fr"}
        assert subjects["dan@example.fr"] == "Grenoble: 80 % of the budget of the group m2 is used"
        assert subjects["carla@example.fr"] == "Grenoble : 80 % consommés, le budget du groupe m2"
        words = " ".join(written["carla@example.fr"].get_content().split())
        assert "Le budget du groupe m2 (« masters ») est utilisé à 83 % ce mois-ci" in words
        assert f"{page}manage" in words
    await world.api.close()


async def test_a_shared_budget_that_nobody_manages_is_looked_at_once(ledger: Ledger) -> None:
    hub = FakeHub()
    world = World(ledger, hub, GROUP)
    async with mailbox() as box:
        mailer = Mailer(MailSettings.model_validate(box.settings), Path(), lambda: world.now)
        letters = Letters(mailer, world.api, world.notices, SITE, "page")
        await world.door.answer(reserve(), T0)
        hub.start()
        await world.look(50)
        assert len(await world.notices.unmailed(world.now)) == 1
        assert await letters.send(world.now) == 0
        assert await world.notices.unmailed(world.now) == []
        assert box.letters == []
    await world.api.close()

"""The quota service's answers come from a real HTTP server that keeps what it was told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC
from functools import partial
from typing import Any

import pytest

from jupytercloud_hub.contracts.admission import AdmissionAnswer, Refusal
from jupytercloud_hub.spawners import admitted
from jupytercloud_hub.spawners.admission import Admission
from tests.support.admission import Quotas
from tests.support.hub import Visitor, text_of

from .test_local import rest, settled, start

REFUSED = AdmissionAnswer(
    verdict="refused",
    message="Votre budget du mois est épuisé : 100 % utilisés.",
    refusal=Refusal(rule="month", account="person", name="amelie", measure="units", limit=10, used=10, asked=1),
)


@pytest.fixture
async def quotas(config: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Quotas]:
    monkeypatch.setattr(admitted, "Admission", partial(Admission, timeout=30))  # a machine that is busy answers late
    service = Quotas()
    config.ProfileMixin.quota_url = service.url
    config.ProfileMixin.quota_token = "hub-token"
    yield service
    await service.end()


async def test_place_is_reserved_before_confirmed_after_and_released_at_the_end(hub: Any, quotas: Quotas) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        await start(visitor, "physics", size="big")
    spawner = await settled(app, "amelie")
    started = spawner.orm_spawner.started
    assert quotas.actions == ["reserve", "confirm"]
    await app.users["amelie"].stop()
    assert quotas.actions == ["reserve", "confirm", "release"]
    assert len({message.key for message in quotas.heard}) == 1
    asked = quotas.heard[0]
    assert asked.key.started == started.replace(tzinfo=UTC)
    assert (asked.key.hub, asked.key.user, asked.key.server) == ("grenoble", "amelie", "")
    assert asked.record.profile == "physics"
    assert asked.record.options == {"size": "big", "tag": "plain"}
    assert asked.person.groups == ("physique",)
    assert asked.person.home_organization == "univ-grenoble-alpes.fr"
    assert asked.language == "fr"
    assert quotas.tokens == {"token hub-token"}


async def test_refusal_is_told_in_its_own_words_and_nothing_starts(hub: Any, quotas: Quotas) -> None:
    quotas.answer = REFUSED
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        page = await start(visitor, "lab")
    assert page.status_code == 403
    assert "Votre budget du mois est épuisé : 100 % utilisés." in text_of(page.text)
    assert not app.users["amelie"].spawners[""].active
    assert quotas.actions == ["reserve"]


async def test_start_that_failed_gives_its_place_back(hub: Any, config: Any, quotas: Quotas) -> None:
    config.ProfileLocalSpawner.environment["FAIL"] = "x"
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        await start(visitor, "lab")
        await settled(app, "amelie")
    assert quotas.actions == ["reserve", "release"]


async def test_administrators_own_hook_comes_first_and_its_refusal_reserves_nothing(
    hub: Any, config: Any, quotas: Quotas
) -> None:
    order = []

    async def own(spawner: Any) -> None:
        order.append(list(quotas.actions))

    config.Spawner.pre_spawn_hook = own
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        await start(visitor, "lab")
    assert (await settled(app, "amelie")).ready
    assert order == [[]]


@pytest.mark.parametrize(("setting", "status"), [("allow", 201), ("refuse", 503)])
async def test_silent_service_costs_half_a_second_and_then_the_setting_decides(
    hub: Any, config: Any, quotas: Quotas, monkeypatch: pytest.MonkeyPatch, setting: str, status: int
) -> None:
    monkeypatch.setattr(admitted, "Admission", Admission)
    config.ProfileMixin.when_unavailable = setting
    quotas.delay = 60
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
    began = asyncio.get_running_loop().time()
    answer = await rest(app, "bob", {"profile": "lab"})
    assert answer.status_code == status, answer.text
    assert asyncio.get_running_loop().time() - began < 30
    if setting == "refuse":
        assert "try again in a minute" in answer.json()["message"]


async def test_answer_of_another_shape_is_no_answer(hub: Any, config: Any, quotas: Quotas) -> None:
    config.ProfileMixin.when_unavailable = "refuse"
    quotas.status = 500
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
    answer = await rest(app, "bob", {"profile": "lab"})
    assert answer.status_code == 503


BUDGET = {
    "title": "Budget des étudiants",
    "rule": "students",
    "measure": "units",
    "hard": True,
    "limit": 20,
    "left": 7.25,
    "resets": "2026-12-01T00:00:00+01:00",
}


async def test_form_says_what_is_left_of_the_budget(hub: Any, quotas: Quotas) -> None:
    quotas.prices = {"lab": 2.5, "physics": 0}
    quotas.budgets = [BUDGET, {**BUDGET, "title": "GPU", "measure": "gpu_hours", "left": -1}]
    app = await hub()
    async with Visitor(app, "fr") as visitor:
        await visitor.log_in("amelie")
        page = text_of((await visitor.get("spawn")).text)
    assert "Budget des étudiants Il reste 7,2 unités sur 20. Davantage à partir du 1 décembre 2026." in page
    assert "2,5 unités par heure" in page
    assert "ne coûte pas d’unités" in page
    assert "Il reste 0 heures-GPU sur 20. Davantage à partir du 1 décembre 2026. Il est épuisé" in page
    assert quotas.asked == [("amelie", "fr")]
    assert quotas.tokens == {"token hub-token"}


@pytest.mark.parametrize("status", [403, 500])
async def test_form_goes_without_a_budget_that_is_not_told(hub: Any, quotas: Quotas, status: int) -> None:
    quotas.status = status
    app = await hub()
    async with Visitor(app, "fr") as visitor:
        await visitor.log_in("amelie")
        page = await visitor.get("spawn")
    assert page.status_code == 200
    assert "Choisir un profil" in page.text

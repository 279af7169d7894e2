"""Profiles with a price of their own: at admission, in the ledger, after a change of the tariff, in a rebuild."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jupytercloud_hub.contracts.server_record import Resources
from jupytercloud_hub.quotas.admission import Admission
from jupytercloud_hub.quotas.ledger import Ledger, Prices
from jupytercloud_hub.quotas.pricing import rate
from jupytercloud_hub.quotas.rebuild import rebuild
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.quotas.words import amount
from jupytercloud_hub.settings import SettingsError, load
from jupytercloud_hub.settings.quotas import Budget, Limit, PriceClass, QuotasSettings, Tariff
from jupytercloud_hub.settings.site import SiteSettings

from .conftest import PARIS
from .helpers import confirm, release, reserve, sums

COURSE, BIG = PriceClass(times=0), PriceClass(hour=5)
TARIFFS = (
    Tariff(cpu=1, memory=0, classes={"course": COURSE, "big": BIG}),
    Tariff(valid_from=date(2026, 12, 1), cpu=1, memory=0, classes={"course": COURSE, "big": PriceClass(hour=7)}),
)
CLASSES = {"course": "course", "big": "big"}
LAST_EVENING = datetime(2026, 11, 30, 22, tzinfo=UTC)  # 23:00 in Paris, an hour before the second tariff
SITE = SiteSettings(name="grenoble", url="http://127.0.0.1/")


@pytest.mark.parametrize(
    ("number", "price_class", "units"),
    [(1, "", 3), (2, "unknown", 3), (3, "course", 0), (4, "double", 6), (5, "big", 5)],
)
def test_an_hour_of_a_class_costs(number: int, price_class: str, units: float) -> None:
    tariff = Tariff(cpu=1, memory=0, classes={"course": COURSE, "big": BIG, "double": PriceClass(times=2)})
    assert rate(Resources(cpu=3, memory=0), tariff, price_class) == units * 1_000_000


@pytest.mark.parametrize("wrong", [{}, {"times": 1, "hour": 1}, {"hour": -1}])
def test_a_class_says_one_price(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PriceClass.model_validate(wrong)


async def test_each_day_is_paid_at_its_own_tariff_and_a_rebuild_finds_nothing_else(ledger: Ledger) -> None:
    ledger.prices = Prices(TARIFFS, PARIS, CLASSES)
    budget = Budget(name="b", limits=(Limit(units=11, hard=True, window="academic-year"),))
    settings = QuotasSettings(tariff=TARIFFS, budgets=(budget,), least=timedelta(hours=1))
    door = Admission(ledger, Reader(ledger, settings), settings, SITE)

    def start(profile: str, server: str) -> Any:
        return reserve(server=server, started=LAST_EVENING, profile=profile)

    big, course = start("big", "one"), start("course", "two")
    for message in (big, course):
        assert (await door.answer(message, LAST_EVENING)).verdict == "admitted"
        await door.answer(confirm(message), LAST_EVENING)
    # six units are left of eleven, an hour of the class costs five: one more fits, and then no other
    assert (await door.answer(start("big", "three"), LAST_EVENING)).verdict == "admitted"
    refused = await door.answer(start("big", "four"), LAST_EVENING)
    assert refused.refusal is not None
    assert refused.refusal.asked == 5
    assert (await door.answer(start("course", "five"), LAST_EVENING)).verdict == "admitted"
    ended = LAST_EVENING + timedelta(hours=2)
    for message in (big, course):
        await door.answer(release(message, ended), ended)
    used = await sums(ledger)
    assert used["cost"] == (5 + 7) * 3600 * 1_000_000
    assert used["cpu"] == 2 * 2 * 2000 * 3600  # raw hours do not depend on the class
    ledger.prices = Prices(TARIFFS, PARIS, {})  # the profile lost its class meanwhile: what was, stays
    assert [difference async for difference in rebuild(ledger)] == []


def test_the_form_is_told_the_price_of_a_class(tmp_path: Path) -> None:
    settings = written(tmp_path, "big")
    prices = Prices(TARIFFS, PARIS, {profile.name: profile.price_class or "" for profile in settings.profiles})
    assert prices.by_profile(settings.profiles, LAST_EVENING) == {"large": 5.0}
    assert prices.by_profile(settings.profiles, LAST_EVENING + timedelta(hours=2)) == {"large": 7.0}


def test_a_class_that_no_tariff_knows_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        written(tmp_path, "bigg")
    [problem] = caught.value.problems
    assert "no tariff has a price for this class" in str(problem.rule)
    assert "big" in str(problem.hint)


def written(folder: Path, price_class: str) -> Any:
    file = folder / "jupytercloud.yaml"
    file.write_text(
        f"""
site: {{name: grenoble, url: "http://127.0.0.1/"}}
profiles: [{{name: large, title: Large, price_class: {price_class}, resources: {{cpu: 8, memory: 8 GiB}}}}]
quotas: {{tariff: [{{cpu: 1, classes: {{big: {{hour: 5}}}}}}]}}
"""
    )
    return load(file)


@pytest.mark.parametrize(
    ("value", "french", "english"),
    [
        (1.9994, "2 unités", "2 units"),
        (1.2, "1,2 unité", "1.2 units"),
        (0.9999, "1 unité", "1 unit"),
        (0, "0 unité", "0 units"),
    ],
)
def test_the_plural_goes_with_the_number_that_is_shown(value: float, french: str, english: str) -> None:
    assert (amount("units", value).in_("fr"), amount("units", value).in_("en")) == (french, english)

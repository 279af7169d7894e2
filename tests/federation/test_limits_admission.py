"""A site's admission with what the portal told: refused by what is fresh, never by what is stale, and said."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from jupytercloud_hub.contracts.limits import LimitsTold
from jupytercloud_hub.federation import limits
from jupytercloud_hub.quotas.admission import Admission
from jupytercloud_hub.quotas.ledger import Ledger, Prices
from jupytercloud_hub.quotas.shared_limits import SharedLimits
from jupytercloud_hub.quotas.usage import Reader
from jupytercloud_hub.settings import load
from jupytercloud_hub.settings.quotas import QuotasSettings, Tariff
from jupytercloud_hub.storage import Database
from jupytercloud_hub.storage.limits_file import write_limits
from tests.federation.test_limits import MARIE, NOW, ONE_GPU, beat, server
from tests.quotas.helpers import ANNA, confirm, release, reserve

SITE = """
site: {{name: grenoble, url: "http://127.0.0.1:1/grenoble/", state: ./state}}
quotas: {{}}
federation: {{portal: {{url: "http://127.0.0.1:1/portal/", share_servers: true, ask_limits: {asks}}}}}
"""
KNOWN = ANNA.model_copy(update={"person": MARIE})


@pytest.fixture
async def site(tmp_path):
    async def make(asks: bool = True) -> Admission:
        (tmp_path / "site.yaml").write_text(SITE.format(asks=str(asks).lower()))
        settings = load(tmp_path / "site.yaml")
        settings.state_folder.mkdir(exist_ok=True)
        quotas = QuotasSettings()
        return Admission(ledger, Reader(ledger, quotas), quotas, settings.site, SharedLimits(settings))

    database = Database(f"sqlite:///{tmp_path}/quotas.sqlite", "quotas")
    await database.upgrade()
    ledger = Ledger(database, "grenoble", Prices((Tariff(cpu=1, memory=0, gpu=10),), ZoneInfo("Europe/Paris")))
    yield make
    await database.close()


def tell(tmp_path, *beats) -> LimitsTold:
    told = limits.told_to("grenoble", (ONE_GPU,), beats, {}, NOW, timedelta(minutes=1))
    write_limits(tmp_path / "state", told)
    return told


async def test_a_server_elsewhere_refuses_one_here_while_that_is_known(site, tmp_path):
    admission = await site()
    tell(tmp_path, beat("reims", server()))
    soon, a_day_later = NOW + timedelta(seconds=30), NOW + timedelta(days=1)
    refused = await admission.answer(reserve(KNOWN, gpu=1), soon)
    assert refused.verdict == "refused"
    assert (refused.refusal.rule, refused.refusal.limit, refused.refusal.used) == ("one-gpu", 1, 1)
    assert (
        "«\u00a0Un serveur avec GPU\u00a0»\u00a0: 1 à la fois au plus sur l'ensemble des sites, "
        "et vous en avez 1, dont 1 à reims" in refused.message
    )
    assert (await admission.answer(reserve(KNOWN), soon)).verdict == "admitted"  # without a GPU
    late = await admission.answer(reserve(KNOWN, server="two", gpu=1), a_day_later)
    assert late.verdict == "admitted"
    assert "Le portail ne répond pas" in late.message


async def test_servers_here_count_too_until_they_stop(site, tmp_path):
    admission = await site()
    tell(tmp_path)
    first = reserve(KNOWN, gpu=1)
    assert (await admission.answer(first, NOW)).verdict == "admitted"
    await admission.answer(confirm(first), NOW)
    second = reserve(KNOWN, server="two", gpu=1)
    assert (await admission.answer(second, NOW)).verdict == "refused"
    await admission.answer(release(first, NOW, ran=True), NOW)
    assert (await admission.answer(second, NOW)).verdict == "admitted"


async def test_where_it_was_not_switched_on_or_nothing_identifies_her_nothing_changes(site, tmp_path):
    admission = await site(asks=False)
    tell(tmp_path, beat("reims", server()))
    assert (await admission.answer(reserve(KNOWN, gpu=1), NOW)).message is None
    admission = await site()
    nameless = await admission.answer(reserve(ANNA, server="two", gpu=1), NOW + timedelta(days=1))
    assert (nameless.verdict, nameless.message) == ("admitted", None)

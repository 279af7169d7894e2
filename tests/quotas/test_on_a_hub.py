"""The quota service beside a real hub and our own spawner, killed in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from jupytercloud_hub.quotas.tables import CLOSED, RUNNING

from .hub import ADMIN_TOKEN, ASKER_TOKEN, Person, QuotaHub, until

QUOTAS = {
    "heartbeat": "1 s",
    "when_unavailable": "refuse",
    "budgets": [
        {
            "name": "etudiants",
            "title": {"fr": "Budget des étudiants", "en": "Students' budget"},
            "limits": [{"window": "month", "units": 2, "hard": True}],
        }
    ],
    "managers": [{"people": ["prof"], "groups": ["cours"]}],
}


@pytest.fixture(scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QuotaHub]:
    async with QuotaHub(tmp_path_factory.mktemp("hub"), QUOTAS) as hub:
        yield hub


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_server_is_reserved_confirmed_counted_and_closed_through_the_spawner(hub: QuotaHub):
    await hub.spawn("anna", profile="small", options={})
    [interval] = [each for each in await hub.intervals() if each.user == "anna"]
    assert (interval.state, interval.profile, interval.cpu, interval.hub) == (RUNNING, "small", 1000, "essai")
    await hub.stop_server("anna")
    [interval] = [each for each in await hub.intervals() if each.user == "anna"]
    assert (interval.state, interval.closed_by) == (CLOSED, "release")


async def test_after_a_kill_of_the_service_there_is_exactly_one_closed_interval(hub: QuotaHub):
    await hub.spawn("bea", profile="small", options={})
    began = datetime.now(UTC).timestamp()
    before = hub.service_pid()
    hub.kill_service()
    await asyncio.sleep(1.5)
    await hub.stop_server("bea")  # the hub starts the service anew within seconds; this release may fall between
    ended = datetime.now(UTC).timestamp()

    async def closed() -> bool:
        return [each.state for each in await hub.intervals() if each.user == "bea"] == [CLOSED]

    await until(closed, 40)
    assert hub.service_pid() != before
    [interval] = [each for each in await hub.intervals() if each.user == "bea"]
    assert abs((interval.ended_s - interval.begin_s) - (ended - began)) < 4
    usage = await hub.ask("GET", "api/v1/usage", await hub.token("bea"))
    assert usage.status_code == 200, usage.text
    assert sum(day["starts"] for day in usage.json()["days"]) == 1
    hours = sum(day["server_hours"] for day in usage.json()["days"])
    assert round(hours * 3600) == interval.ended_s - interval.begin_s


async def test_a_start_beyond_a_hard_budget_is_refused_with_what_is_left(hub: QuotaHub):
    answer = await hub.post_server("carl", "big")  # half an hour of eight cores is four units, of two
    assert answer.status_code in (400, 403), answer.text
    assert "il reste 2 unités sur 2 unités" in answer.json()["message"]
    assert "Budget des étudiants" in answer.json()["message"]
    assert [each for each in await hub.intervals() if each.user == "carl"] == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", ("Mon usage", "Budget des étudiants", "restant sur 2", "Petit")),
        ("en", ("My usage", "Students&#39; budget", "left of 2", "Small")),
    ],
)
async def test_a_person_reads_what_is_left_and_what_she_used(hub: QuotaHub, language: str, words: tuple[str, ...]):
    person = Person(hub, language)
    await person.log_in("anna")
    page = await person.page()
    assert page.status_code == 200
    for word in words:
        assert word in page.text, word
    assert f'<html lang="{language}">' in page.text
    assert "<script" not in page.text
    csv = await person.page("api/v1/export.csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text.splitlines()[0].startswith("day,profile,gpu_type,units")
    assert json.loads((await person.page("api/v1/export.json")).text)["name"] == "anna"
    await person.client.aclose()


async def test_who_may_ask_what(hub: QuotaHub):
    anna = await hub.token("anna")
    body = {"action": "release", "key": {"hub": "essai", "user": "bea", "started": "2026-01-01T00:00:00Z"}}
    cases = [
        ("POST", "api/v1/admission", anna, body, 403),
        ("POST", "api/v1/admission", "", body, 401),
        ("POST", "api/v1/admission", ADMIN_TOKEN, body, 403),
        ("POST", "api/v1/budgets", anna, {"person": {"username": "anna"}}, 403),
        ("POST", "api/v1/budgets", "", {"person": {"username": "anna"}}, 401),
        ("GET", "api/v1/stops", anna, None, 403),
        ("GET", "api/v1/usage", "", None, 401),
        ("GET", "api/v1/usage?user=bea", anna, None, 403),
        ("GET", "api/v1/usage?user=anna", anna, None, 200),
        ("GET", "api/v1/usage?days=0", anna, None, 400),
        ("GET", "api/v1/usage?days=x", anna, None, 400),
        ("GET", "api/v1/export.csv?user=bea", anna, None, 403),
        ("GET", "health", "", None, 200),
        ("GET", "metrics", anna, None, 403),
        ("GET", "metrics", ADMIN_TOKEN, None, 200),
    ]
    for method, path, token, json_body, status in cases:
        answer = await hub.ask(method, path, token, json=json_body)
        assert answer.status_code == status, (method, path, answer.text)
    metrics = (await hub.ask("GET", "metrics", ADMIN_TOKEN)).text
    assert 'jupytercloud_quotas_admissions_total{verdict="refused"}' in metrics
    assert "anna" not in metrics


async def test_the_spawn_form_is_told_of_the_person_what_she_reads_herself_and_the_hub_is_not_asked_back(hub: QuotaHub):
    person = {"username": "nobody-whom-the-hub-knows", "groups": ["cours"]}
    answer = await hub.ask("POST", "api/v1/budgets", ASKER_TOKEN, json={"person": person, "language": "en"})
    assert answer.status_code == 200, answer.text
    [budget] = answer.json()["budgets"]
    assert (budget["title"], budget["measure"], budget["limit"], budget["left"]) == ("Students' budget", "units", 2, 2)
    anna = await hub.token("anna")
    herself = (await hub.ask("GET", "api/v1/usage", anna)).json()
    answer = await hub.ask("POST", "api/v1/budgets", ASKER_TOKEN, json={"person": {"username": "anna"}})
    [budget], [own] = answer.json()["budgets"], herself["budgets"]
    assert budget == {name: own[name] for name in budget}
    assert answer.json()["prices"] == herself["prices"]


async def test_a_manager_grants_to_a_person_of_her_group_who_then_starts(hub: QuotaHub):
    for name in ("dora", "prof"):
        await hub.client.post(f"{hub.api}/users/{name}")
    await hub.client.post(f"{hub.api}/groups/cours")
    await hub.client.post(f"{hub.api}/groups/cours/users", json={"users": ["dora"]})
    await hub.spawn("dora", profile="small", options={})
    await hub.stop_server("dora")
    assert (await hub.post_server("dora", "big")).status_code == 403

    prof = Person(hub)
    await prof.log_in("prof")
    page = await prof.page("manage")
    assert page.status_code == 200, page.text
    assert "manage/group/cours" in page.text
    assert "manage/hub/essai" not in page.text
    assert ">dora</a>" in (await prof.page("manage/group/cours")).text
    form = await prof.page("manage/person/dora")
    assert form.status_code == 200, form.text
    refused = await prof.post("manage/person/dora", amount="-3", measure="units", until="2099-12-31", reason="projet")
    assert refused.status_code == 400
    assert 'value="projet"' in refused.text
    for since in ("2099-12-31", "soon"):  # after the last day, and no day
        later = {"amount": "1", "measure": "units", "since": since, "until": "2099-11-30", "reason": "projet"}
        assert (await prof.post("manage/person/dora", **later)).status_code == 400, since
    later = await prof.post("manage/person/dora", **(later | {"since": "2099-11-01"}))
    assert "1 novembre 2099" in later.text
    assert (await hub.post_server("dora", "big")).status_code == 403
    given = await prof.post("manage/person/dora", amount="2,5", measure="units", until="2099-12-31", reason="projet")
    assert given.status_code == 200, given.text
    assert "2,5 unités" in given.text
    assert (await hub.post_server("dora", "big")).status_code in (201, 202)
    await hub.stop_server("dora")

    grants = (await hub.ask("GET", "api/v1/grants", await hub.token("prof"))).json()["grants"]
    number = next(grant["id"] for grant in grants if grant["amount"] == 2.5)
    withdrawn = await prof.post("manage/person/dora", withdraw=str(number))
    assert "terminé" in withdrawn.text
    for path in ("manage/person/anna", "manage/group/autre", "manage/hub/essai"):
        assert (await prof.page(path)).status_code == 403, path
    assert (await prof.page("manage/nothing/x")).status_code == 404
    await prof.client.aclose()


async def test_nobody_else_gives_sees_or_withdraws(hub: QuotaHub):
    anna, prof = await hub.token("anna"), await hub.token("prof")
    grant = {"account": "person", "name": "anna", "amount": 5, "reason": "moi", "ends": "2099-01-01T00:00:00Z"}
    cases = [
        ("POST", "api/v1/grants", anna, grant, 403),
        ("GET", "api/v1/grants", anna, None, 403),
        ("GET", "manage", anna, None, 403),
        ("DELETE", "api/v1/grants/1", anna, None, 403),
        ("POST", "api/v1/grants", prof, grant, 403),
        ("POST", "api/v1/grants", prof, grant | {"account": "group", "name": "cours"}, 201),
        ("POST", "api/v1/grants", prof, grant | {"name": "dora", "ends": "2020-01-01T00:00:00Z"}, 422),
        ("POST", "api/v1/grants", prof, grant | {"amount": 0}, 400),
        ("POST", "api/v1/grants", prof, {}, 400),
        ("GET", "api/v1/grants?account=group&name=cours", prof, None, 200),
        ("GET", "api/v1/grants?account=group&name=autre", prof, None, 403),
        ("DELETE", "api/v1/grants/999999", prof, None, 404),
        ("POST", "api/v1/grants", "", grant, 401),
    ]  # fmt: skip
    for method, path, token, body, status in cases:
        answer = await hub.ask(method, path, token, json=body)
        assert answer.status_code == status, (method, path, answer.text)


async def test_a_form_sent_from_another_site_gives_nothing(hub: QuotaHub):
    prof = Person(hub)
    await prof.log_in("prof")
    await prof.page("manage")
    body = {"amount": "5", "measure": "units", "until": "2099-12-31", "reason": "x"}
    answer = await prof.client.post(f"{hub.quotas}manage/group/cours", data=body)
    assert answer.status_code == 403
    await prof.client.aclose()

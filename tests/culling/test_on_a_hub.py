"""The culler beside a real hub, with shortened times."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx
import jsonschema
import pytest

from .hub import Hub, until

RULES = {
    "rules": [
        {"name": "spared", "servers": ["spared"], "spare": True},
        {
            "name": "short",
            "title": {"fr": "Essais", "en": "Trials"},
            "idle": "6 s",
            "warn": "3 s",
            "keep": {"duration": "5 s", "times": 1},
        },
    ],
    "every": "1 s",
    "settle": "2 s",
}


PATIENT = {  # room for a busy machine between one answer and the next
    **RULES,
    "rules": [{"name": "short", "idle": "30 s", "warn": "15 s", "keep": {"duration": "18 s", "times": 1}}],
}


@pytest.fixture
async def patient_hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with Hub(tmp_path, PATIENT) as running:
        yield running


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with Hub(tmp_path, RULES) as running:
        yield running


async def test_an_idle_server_is_warned_then_stopped_and_its_owner_can_read_why(hub: Hub) -> None:
    await hub.spawn("anna")
    await hub.spawn("anna", "spared")
    token = hub.own_token("anna")
    first = await hub.view("anna", token=token)
    assert (first["action"], first["rule"], first["cause"], first["warned"]) == ("leave", "short", "idle", False)

    async def warned() -> bool:
        return bool((await hub.view("anna", token=token)).get("warned"))

    await until(warned, 90)
    told = datetime.fromisoformat((await hub.view("anna", token=token))["stops_at"])

    async def stopped() -> bool:
        return await hub.running("anna") == ["spared"]

    await until(stopped, 90)
    assert (await hub.view("anna", "spared"))["action"] == "spare"
    async with httpx.AsyncClient(timeout=30, follow_redirects=True) as browser:
        page = await log_in(browser, hub, "anna")
    assert "Arrêt après 6 s sans activité (Essais)." in page.text
    metrics = (await hub.ask("GET", "metrics")).text
    found = re.search(r'stops_total\{cause="idle",outcome="stopped",rule="short"\} 1.0', metrics)
    assert found, metrics
    log = hub.log.read_text()
    assert "anna/ is stopped (idle, rule short)" in log
    stopped_at = datetime.fromisoformat(re.search(r"stopped_at=(\S+)", log)[1])  # type: ignore[index]
    assert stopped_at >= told


async def test_who_comes_back_after_the_warning_is_spared(hub: Hub) -> None:
    await hub.spawn("anna")

    async def warned() -> bool:
        return bool((await hub.view("anna")).get("warned"))

    for _ in range(2):
        await until(warned, 90)
        await hub.active("anna")
        view = await hub.view("anna")
        assert (view["warned"], view["action"]) == (False, "leave")
    assert await hub.running("anna") == [""]


async def test_keep_it_works_once_with_the_servers_own_token_and_is_refused_the_second_time(patient_hub: Hub) -> None:
    hub = patient_hub
    await hub.spawn("anna")
    await hub.spawn("bob")
    token = hub.own_token("anna")
    await hub.active("anna")
    early = await hub.ask("POST", "api/v1/servers/anna/~/keep", token)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "too-early")
    await hub.active("bob")

    async def warned() -> bool:
        return bool((await hub.view("anna")).get("warned"))

    await until(warned, 90)
    kept = await hub.ask("POST", "api/v1/servers/anna/~/keep", token)
    assert (kept.status_code, kept.json()["keep"]["code"]) == (200, "used-up")
    again = await hub.ask("POST", "api/v1/servers/anna/~/keep", token)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "used-up")
    report = {"last_activity": "2026-01-01T00:00:00Z"}
    for method, path in (("POST", "/keep"), ("GET", ""), ("POST", "/activity")):
        other = await hub.ask(method, f"api/v1/servers/bob/~{path}", token, json=report)
        assert other.status_code == 403, path
    for method, path in (("GET", "plan"), ("GET", "maintenance"), ("DELETE", "maintenance")):
        assert (await hub.ask(method, f"api/v1/{path}", token)).status_code == 403, path
    nobody = await hub.ask("POST", "api/v1/servers/anna/~/keep", "")
    assert nobody.status_code == 401
    assert (await hub.ask("GET", "api/v1/servers/anna/~", "")).status_code == 401

    async def stopped() -> bool:
        return await hub.running("anna") == []

    await until(stopped, 60)


async def test_the_page_keeps_a_server_without_any_script_and_in_both_languages(patient_hub: Hub) -> None:
    hub = patient_hub
    await hub.spawn("anna")

    async def warned() -> bool:
        return bool((await hub.view("anna")).get("warned"))

    async with httpx.AsyncClient(timeout=30, follow_redirects=True) as browser:
        await log_in(browser, hub, "anna")
        await until(warned, 90)
        page = await browser.get(hub.culler, headers={"Accept-Language": "en"})
        assert "Will stop soon" in page.text
        xsrf = re.search(r'name="_xsrf"[^>]*value="([^"]+)"', page.text)
        assert xsrf, page.text
        forged = await browser.post(f"{hub.culler}keep", data={"server": ""})
        assert forged.status_code == 403
        form = {"server": "", "_xsrf": xsrf[1]}
        done = await browser.post(f"{hub.culler}keep", data=form, headers={"Accept-Language": "fr"})
        assert done.status_code == 200
        assert "C'est fait" in done.text.replace("&#39;", "'")
        assert '<html lang="fr">' in done.text
        refused = await browser.post(f"{hub.culler}keep", data=form, headers={"Accept-Language": "fr"})
        assert refused.status_code == 409
        assert "1 fois sur 1" in refused.text


async def test_a_culler_that_is_killed_forgets_no_warning_and_no_keep(hub: Hub) -> None:
    await hub.spawn("anna")

    async def warned() -> bool:
        return bool((await hub.view("anna")).get("warned"))

    async def well() -> bool:
        try:
            return (await hub.ask("GET", "health", "")).status_code == 200
        except httpx.TransportError:
            return False

    await until(warned, 90)
    told = (await hub.view("anna"))["stops_at"]
    pid = hub.culler_pid()
    os.kill(pid, signal.SIGKILL)
    await until(well, 90)  # the hub looks after its services every 30 s
    assert hub.culler_pid() != pid
    after = await hub.view("anna")
    assert (after["status"], after.get("stops_at")) in {(200, told), (404, None)}  # 404: stopped meanwhile, as told

    async def stopped() -> bool:
        return await hub.running("anna") == []

    await until(stopped, 90)


async def test_the_plan_tells_an_administrator_each_server_and_its_reason(hub: Hub) -> None:
    await hub.spawn("anna")
    await hub.spawn("anna", "spared")
    plan = (await hub.ask("GET", "api/v1/plan")).json()
    described = (await hub.ask("GET", "api/v1/openapi.json", "")).json()
    check = partial(jsonschema.validate, cls=jsonschema.Draft202012Validator)
    check(plan, {"$ref": "#/components/schemas/PlanView", **described})
    assert {(s["server"], s["rule"], s["action"]) for s in plan["servers"]} >= {("spared", None, "spare")}
    refused = await hub.ask("GET", "api/v1/plan", hub.own_token("anna"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "missing-scope")
    check(refused.json(), {"$ref": "#/components/schemas/ErrorView", **described})


async def log_in(browser: httpx.AsyncClient, hub: Hub, user: str) -> httpx.Response:
    """Log in through the hub's form and land on the culler's page."""
    page = await browser.get(hub.culler)
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert xsrf, page.text
    form = {"username": user, "password": "x", "_xsrf": xsrf[1]}
    landed = await browser.post(str(page.url), data=form)
    assert landed.status_code == 200, landed.text
    assert str(landed.url).startswith(hub.culler), landed.url
    return landed

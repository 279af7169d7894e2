"""The API's description says what the handlers do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jupytercloud_hub.culling.openapi import document
from jupytercloud_hub.culling.pages import HANDLERS
from tests.support.fuzzing import failures_of_api

from .hub import ADMIN_TOKEN, Hub

METHODS = ("get", "post", "put", "delete")


def test_every_handler_of_the_api_is_described_and_nothing_else() -> None:
    served = set()
    for pattern, handler in HANDLERS:
        if not pattern.startswith("api/") or "openapi" in pattern:
            continue
        path = "/" + re.sub(r"\(.*?\)", "{user}", pattern, count=1)
        path = re.sub(r"\(.*?\)", "{server}", path, count=1)
        served |= {(method, path) for method in METHODS if method in vars(handler)}
    paths = document("/hub/services/culler/")["paths"]
    assert {(method, path) for path, operations in paths.items() for method in operations} == served


def test_every_reference_in_the_description_leads_somewhere() -> None:
    described = document("/services/culler/")
    names = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert names == set(described["components"]["schemas"])


@pytest.fixture(scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    rules = {"rules": [{"name": "ordinary", "idle": "5 min"}], "every": "1 h", "warn": "4 min"}
    async with Hub(tmp_path_factory.mktemp("hub"), rules) as hub:
        await hub.spawn("anna")
        yield hub


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("who", ["an administrator", "a server", "anybody"])
async def test_schemathesis_finds_no_failure(hub: Hub, tmp_path: Path, who: str) -> None:
    token = hub.own_token("anna") if who == "a server" else ADMIN_TOKEN
    if who == "anybody":
        await hub.client.post(f"{hub.api}/users/ben")
        answer = await hub.client.post(f"{hub.api}/users/ben/tokens", json={})
        token = answer.json()["token"]
    there = {"user": "anna", "server": "~"} if who == "a server" else {}
    failures = await failures_of_api(f"{hub.culler}api/v1/openapi.json", token, tmp_path, **there)
    assert not failures, failures

"""The API's description says what the handlers do, and the handlers do what it says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jupytercloud_hub.quotas import manage_pages, pages
from jupytercloud_hub.quotas.openapi import document
from tests.support.fuzzing import failures_of_api

from .hub import ASKER_TOKEN, QuotaHub

METHODS = ("get", "post", "put", "delete")


def test_every_handler_of_the_api_is_described_and_nothing_else() -> None:
    served = set()
    for pattern, handler in [*pages.HANDLERS, *manage_pages.HANDLERS]:
        if not pattern.startswith("api/") or "openapi" in pattern:
            continue
        path = "/" + re.sub(r"\(\[\^/\].*?\)", "{number}", pattern).replace(r"\.", ".")
        for each in [path.replace("(csv|json)", form) for form in ("csv", "json")] if "|" in path else [path]:
            served |= {(method, each) for method in METHODS if method in vars(handler)}
    paths = document("/hub/services/quotas/")["paths"]
    assert {(method, path) for path, operations in paths.items() for method in operations} == served


def test_every_reference_in_the_description_leads_somewhere() -> None:
    described = document("/services/quotas/")
    names = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert names == set(described["components"]["schemas"])


@pytest.fixture(scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QuotaHub]:
    async with QuotaHub(
        tmp_path_factory.mktemp("hub"), {"budgets": [{"name": "all", "limits": [{"units": 5}]}]}
    ) as hub:
        yield hub


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("who", ["an administrator", "the hub itself", "anybody"])
async def test_schemathesis_finds_no_failure(hub: QuotaHub, tmp_path: Path, who: str) -> None:
    for name in ("chef", "anna"):
        await hub.client.post(f"{hub.api}/users/{name}")
    token = ASKER_TOKEN
    if who != "the hub itself":
        token = await hub.token("chef" if who == "an administrator" else "anna")
    failures = await failures_of_api(f"{hub.quotas}api/v1/openapi.json", token, tmp_path)
    assert not failures, failures

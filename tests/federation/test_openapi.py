"""The API's description is true: every address stands in it, and a fuzzer finds no answer that it does not name."""

import asyncio
import shutil
import sys
from pathlib import Path

import httpx
import pytest

from jupytercloud_hub.federation.api import HANDLERS as API
from jupytercloud_hub.federation.api_sites import HANDLERS as SITES
from jupytercloud_hub.federation.openapi import OPERATIONS, document
from jupytercloud_hub.federation.ratelimit import RateLimit
from jupytercloud_hub.hubapi import HubApi
from tests.federation.conftest import PEOPLE, portal_of, write_portal


def test_every_address_and_method_of_the_api_stands_in_the_description():
    described = {}
    for operation in OPERATIONS:
        path = operation.path.format(user="u", name="n", key="0" * 12)
        described.setdefault(f"api/v1/{path}", set()).add(operation.method.upper())
    import re

    for pattern, handler, *_ in (*API, *SITES):
        if pattern.endswith("openapi\\.json"):
            continue
        found = [path for path in described if re.fullmatch(pattern, path)]
        assert found, pattern
        for path in found:
            assert described[path] == set(handler.allowed_methods()), path


def test_every_model_of_the_description_is_explained():
    schemas = document("/services/federation/")["components"]["schemas"]
    for name, schema in schemas.items():
        for key, value in schema.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"


@pytest.mark.parametrize("seed", [1])
async def test_schemathesis_finds_no_failure(tmp_path, sites, seed):
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists() and not shutil.which("schemathesis"):
        pytest.fail("schemathesis is not installed: pip install 'jupytercloud-hub[test]'")
    nobody_there = httpx.MockTransport(lambda request: httpx.Response(503))

    def client(site):
        return httpx.AsyncClient(base_url=site.url, transport=nobody_there)

    def hub(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        return httpx.Response(200, json=PEOPLE[name]) if name in PEOPLE else httpx.Response(404)

    async with portal_of(write_portal(tmp_path, sites), make_client=client) as portal:
        portal.service.limit = RateLimit(1e6, 1e6)
        portal.service.hub = HubApi("http://hub.invalid/hub/api", "t", transport=httpx.MockTransport(hub))
        process = await asyncio.create_subprocess_exec(
            str(program if program.exists() else "schemathesis"), "run",
            f"http://127.0.0.1:{portal.port}/portal/services/federation/api/v1/openapi.json",
            "--header", "Authorization: Bearer admin", "--max-examples", "25", "--seed", str(seed), "--no-color",
            "--checks", "all", "--phases", "examples,coverage,fuzzing", "--request-timeout", "20",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()[-12000:]

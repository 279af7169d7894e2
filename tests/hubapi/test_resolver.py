"""Who speaks with hub or servers by name asks the system, which keeps no address that Swarm has given to nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from jupyterhub.httpclient import JupyterHubHTTPClient
from traitlets.config import Config

from jupytercloud_hub.hubapi.resolver import SystemResolver, ask_the_system, connector_options


@pytest_asyncio.fixture(autouse=True)
async def client_of_its_own() -> AsyncIterator[None]:
    JupyterHubHTTPClient.clear_instance()
    yield
    JupyterHubHTTPClient.clear_instance()


def resolver_of(client: JupyterHubHTTPClient) -> object:
    return client._new_connector()._resolver


async def test_the_system_resolves_names() -> None:
    found = await SystemResolver().resolve("localhost", 80)
    assert {one["host"] for one in found} <= {"127.0.0.1", "::1"}
    assert found[0]["port"] == 80


async def test_a_service_asks_the_system() -> None:
    ask_the_system()
    assert isinstance(resolver_of(JupyterHubHTTPClient.loop_instance()), SystemResolver)


async def test_a_hub_asks_the_system_as_its_configuration_says() -> None:
    config = Config()
    config.JupyterHubHTTPClient.connector_options = connector_options()
    assert isinstance(resolver_of(JupyterHubHTTPClient.instance(config=config)), SystemResolver)

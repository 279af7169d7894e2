"""Faults on a real Kubernetes of two machines: ``make faults-engines``."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.engines_kubernetes import Kubernetes

from .engine_kinds import EngineFault
from .engine_rounds import Watch, kinds_of
from .engine_site import running

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watch]:
    async with running(kubernetes, tmp_path_factory.mktemp("faults")) as world:
        yield Watch(world)


@kinds_of("kubernetes")
async def test_people_are_served_and_nothing_is_lost_or_counted_wrong_after(site: Watch, kind: EngineFault) -> None:
    assert await site.round(kind) == []

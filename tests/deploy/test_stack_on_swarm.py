"""The stack of ``jupytercloud stack init`` on a real Swarm, from its deploy command to a dump that is restored.

Real: Traefik, HAProxy, PostgreSQL, Prometheus and node exporter (Debian's and PyPI's, in images that stand for the
registry's), the hub's image built from ``images/hub``, LemonLDAP::NG, autofs for ``/cvmfs``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.engines_swarm import Swarm
from tests.support.swarm_people import Person
from tests.support.swarm_stack import StackOnSwarm, stack_on_swarm, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1700), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackOnSwarm]:
    async with stack_on_swarm(swarm, tmp_path_factory.mktemp("stack")) as made:
        yield made


async def test_a_person_logs_in_starts_a_server_computes_and_reads_cvmfs(stack: StackOnSwarm) -> None:
    async with Person(stack, "dwho") as person:
        await person.log_in()
        await person.start("calcul")
        async with person.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"
            assert await kernel.run("open('/cvmfs/sft.cern.ch/NAME').read().strip()") == "'sft.cern.ch'"
    stack.all_run()


async def test_prometheus_sees_all_parts_and_the_server_that_runs(stack: StackOnSwarm) -> None:
    def up() -> bool:
        found = {one["metric"]["job"]: one["value"][1] for one in stack.metric("min by (job) (up)")}
        return found == dict.fromkeys(("hub", "quotas", "culler", "traefik", "node"), "1")

    until(up, 180, lambda: stack.metric("up"))
    until(lambda: stack.metric("jupyterhub_running_servers >= 1"), 120)
    assert len(stack.metric('up{job="node"}')) == len(stack.swarm.nodes)


async def test_a_hub_that_is_replaced_is_not_noticed_in_a_notebook(stack: StackOnSwarm) -> None:
    async with Person(stack, "dwho") as person:
        await person.log_in()
        async with person.kernel() as kernel:
            await kernel.run("kept = 'before the update'")
            hub = stack.swarm.task(stack.service("hub"))["ID"]
            stack.manager(f"docker service update --detach --force {stack.service('hub')}")
            until(lambda: stack.swarm.task(stack.service("hub"), state=None)["ID"] != hub, 120)
            assert await kernel.run("kept") == "'before the update'", "while there is no hub"
            assert stack.swarm.task(stack.service("hub"), timeout=600)["ID"] != hub, "the new one is healthy"
            stack.healthy()
            assert await kernel.run("kept") == "'before the update'", "on the same websocket"
            assert kernel.opened == 1
        assert await person.server_is_ready()


async def test_a_dump_brings_people_and_accounts_back_on_an_empty_stack(stack: StackOnSwarm) -> None:
    name = "dwho@univ-gallifrey.example"
    intervals = stack.sql("jupytercloud", "select id from quotas_interval")
    assert intervals
    took = stack.restore_on_an_empty_stack()
    print(f"\nrestored on an empty stack in {took:.0f} s")
    assert name in stack.sql("jupyterhub", "select name from users")
    assert set(intervals) <= set(stack.sql("jupytercloud", "select id from quotas_interval"))
    async with Person(stack, "dwho") as person:
        await person.log_in()
        assert not await person.server_is_ready(), "what ran on the lost machines is not believed to run"
        await person.start("calcul")
        async with person.kernel() as kernel:
            assert await kernel.run("6 * 7") == "42"

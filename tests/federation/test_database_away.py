"""PostgreSQL is away for a minute under two replicas that people use: who has a home site does not notice.

JUPYTERCLOUD_AWAY_SECONDS: how long (60).
"""

from __future__ import annotations

import asyncio
import os
import time

import httpx
import pytest

from tests.federation.conftest import write_portal
from tests.federation.test_replica_killed import health, start, until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]
AWAY = float(os.environ.get("JUPYTERCLOUD_AWAY_SECONDS", "60"))
AT_HOME = ("marie", "simone")
LONGEST_WAIT = 15.0
"""Seconds that an honest answer may take while the database is away: the service itself gives up after three."""


async def test_a_minute_without_postgresql(tmp_path, sites, postgresql, postgresql_url):
    if postgresql.folder is None:
        pytest.fail("the server of DATABASE_URL can't be stopped: run this without DATABASE_URL")
    replicas = []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            # the cookie alone routes for a second only: what follows asks the database, and finds it away
            more = f'  hot_path: 1 s\ndatabase: {{url: "{postgresql_url}"}}'
            replicas.append(await start(write_portal(tmp_path / name, sites, more=more, quick=False)))
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            await visit([base for _, base in replicas], client, postgresql)
        assert all(process.returncode is None for process, _ in replicas)
    finally:
        for process, _ in replicas:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def visit(bases: list[str], client: httpx.AsyncClient, postgresql) -> None:
    async def parts() -> list[str]:
        return sorted([(await health(client, base))["part"] for base in bases])

    async def ready() -> bool:
        states = [state for base in bases for state in (await health(client, base))["sites"].values()]
        return await parts() == ["follows", "leads"] and set(states) <= {"up", "degraded"}

    await until(ready, 60)
    routed: list[int] = []
    first: list[tuple[int, float, bool]] = []
    over = False

    async def at_home(base: str, name: str) -> None:
        own = {"service-federation": name, "jupyterhub-session-id": name}
        while not over:
            header = "; ".join(f"{key}={value}" for key, value in own.items())
            answer = await client.get(f"{base}go/hub/", headers={"Cookie": header})
            client.cookies.clear()
            own.update(answer.cookies)
            routed.append(answer.status_code)
            await asyncio.sleep(0.5)

    async def newcomer(base: str) -> httpx.Response:
        begun = time.monotonic()
        header = {"Cookie": "service-federation=admin; jupyterhub-session-id=a", "Accept-Language": "en"}
        answer = await client.get(f"{base}go/hub/", headers=header)
        honest = "can't look up your home site now" in answer.text.replace("&#39;", "'")
        first.append((answer.status_code, time.monotonic() - begun, honest and "Retry-After" in answer.headers))
        return answer

    people = [asyncio.create_task(at_home(base, name)) for base in bases for name in AT_HOME]
    await asyncio.sleep(2)  # everybody has been sent home once
    assert set(routed) == {302}
    postgresql.stop()
    try:
        ends = time.monotonic() + AWAY
        while time.monotonic() < ends:
            for base in bases:
                await newcomer(base)
                status = await client.get(f"{base}status", headers={"Accept-Language": "en"})
                assert status.status_code == 200
                assert (await client.get(f"{base}health")).status_code == 200  # the balancer keeps both
            await asyncio.sleep(2)
        assert "database is away" in status.text
        assert (await parts()) == ["alone", "alone"]
    finally:
        postgresql.start()
    back = time.monotonic()

    async def recovered() -> bool:
        answers = [await newcomer(base) for base in bases]
        return {answer.status_code for answer in answers} == {302} and await parts() == ["follows", "leads"]

    away = list(first)
    await until(recovered, 60)
    took = time.monotonic() - back
    over = True
    await asyncio.gather(*people)
    print(
        f"away {AWAY:g} s: {len(routed)} links of people at home, all 302; {len(away)} first visits, all 503, "
        f"the slowest after {max(seconds for _, seconds, _ in away):.1f} s; all as before {took:.1f} s after its return"
    )
    assert set(routed) == {302}
    assert len(routed) > AWAY
    assert {(status, honest) for status, _, honest in away} == {(503, True)}
    assert max(seconds for _, seconds, _ in away) < LONGEST_WAIT

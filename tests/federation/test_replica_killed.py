"""Two replicas as real processes: one is killed under load, the other goes on without an error and takes over."""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.federation.conftest import PREFIX, write_portal

ROOT = Path(__file__).parents[2]


async def start(file: Path) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.federation.replica_process", str(file), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    told = json.loads(await process.stdout.readline())
    return process, f"http://127.0.0.1:{told['port']}{PREFIX}"


@pytest.fixture
async def replicas(tmp_path, sites, postgresql_url):
    started = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        more = f'database: {{url: "{postgresql_url}"}}'
        started.append(await start(write_portal(tmp_path / name, sites, more=more, quick=False)))
    yield started
    for process, _ in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def health(client: httpx.AsyncClient, base: str) -> dict:
    return (await client.get(f"{base}health")).json()


async def until(check, seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.1)


async def test_one_is_killed_under_load_and_nobody_at_the_other_notices(replicas, sites):
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:

        async def ready() -> bool:
            told = [await health(client, base) for _, base in replicas]
            return sorted(one["part"] for one in told) == ["follows", "leads"] and all(
                set(one["sites"].values()) <= {"up", "degraded"} for one in told
            )

        await until(ready)
        parts = {base: (await health(client, base))["part"] for _, base in replicas}
        leader = next(process for process, base in replicas if parts[base] == "leads")
        other = next(base for _, base in replicas if parts[base] == "follows")
        statuses: list[int] = []
        over = False

        async def person(name: str) -> None:
            own = {"service-federation": name, "jupyterhub-session-id": name}
            while not over:
                cookie = "; ".join(f"{key}={value}" for key, value in own.items())
                answer = await client.get(f"{other}go/hub/", headers={"Cookie": cookie})
                client.cookies.clear()
                own.update(answer.cookies)
                statuses.append(answer.status_code)
                await asyncio.sleep(0.05)

        people = [asyncio.create_task(person(name)) for name in ("marie", "simone") for _ in range(4)]
        await asyncio.sleep(1)
        leader.send_signal(signal.SIGKILL)
        await leader.wait()

        async def leads() -> bool:
            return (await health(client, other))["part"] == "leads"

        await until(leads, 15)
        await asyncio.sleep(1)
        over = True
        await asyncio.gather(*people)
        assert set(statuses) == {302}
        assert len(statuses) > 20
        await sites["reims"].kill()

        async def down() -> bool:
            return (await health(client, other))["sites"]["reims"] == "down"

        with contextlib.suppress(httpx.HTTPError):
            await until(down)
        assert await down()

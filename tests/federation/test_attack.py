"""Thousands of forged heartbeats: every one is refused, and the good ones still get through in time.

Set JUPYTERCLOUD_FORGED for another number than the default.
"""

import asyncio
import os
import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from jupytercloud_hub.contracts.heartbeat import Notice
from tests.federation.test_heartbeats import KEY, OTHER, body_of, portal, send, sign

__all__ = ["portal"]
FORGED = int(os.environ.get("JUPYTERCLOUD_FORGED", "10000"))


@pytest.mark.timeout(900)
async def test_forged_heartbeats_are_refused_and_good_ones_get_through(portal):
    rng = random.Random(1)
    portal.client.timeout = 60
    evil = body_of(drain=Notice())
    used_body = body_of()
    used = sign(portal, used_body)
    assert (await send(portal, used_body, used)).status_code == 200
    good_signature = sign(portal, evil + b" ")
    head, _, tail = sign(portal, evil).rpartition(".")
    long_ago = sign(portal, evil, now=datetime.now(UTC) - timedelta(hours=1))
    kinds = {
        "bad-signature": (evil, f"{head}.{tail[::-1]}"),
        "not-now": (evil, long_ago),
        "replayed": (used_body, used),
        "another key": (evil, sign(portal, evil, key=OTHER)),
        "another-body": (evil, good_signature),
    }
    names = list(kinds)
    refused = 0
    over = False
    waits = []

    async def attack(count: int) -> None:
        nonlocal refused
        for _ in range(count):
            body, token = kinds[rng.choice(names)]
            answer = await send(portal, body, token)
            assert answer.status_code == 401, answer.text
            refused += 1

    async def good() -> None:
        while not over:
            body = body_of(free={"*": 7})
            begun = time.monotonic()
            answer = await send(portal, body, sign(portal, body, key=KEY))
            waits.append(time.monotonic() - begun)
            assert answer.status_code == 200
            assert answer.json()["state"] != "draining"
            await asyncio.sleep(0.1)

    beating = asyncio.create_task(good())
    await asyncio.gather(*(attack(FORGED // 8) for _ in range(8)))
    over = True
    await beating
    assert refused == FORGED // 8 * 8
    assert len(waits) >= 3
    expires = portal.service.federation.health.heartbeat_expires.total_seconds()
    assert max(waits) < expires / 3, waits  # the one before is still believed
    assert portal.service.board.known["grenoble"].shown.state != "draining"

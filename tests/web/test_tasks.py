"""Tasks behind a service end, also where what they wait for swallows their cancellation."""

from __future__ import annotations

import asyncio

from jupytercloud_hub.web.tasks import ended


async def test_a_loop_whose_library_makes_its_own_error_of_a_cancellation_ends_all_the_same() -> None:
    begun, swallowed = asyncio.Event(), 0

    async def passes() -> None:
        nonlocal swallowed
        while True:
            try:
                begun.set()
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed += 1

    task = asyncio.create_task(passes())
    await begun.wait()
    await ended([task])
    assert (task.cancelled(), swallowed) == (True, 1)


async def test_no_task_is_no_wait() -> None:
    await ended([])

"""The promises of `together`, one test each."""

from __future__ import annotations

import asyncio

import pytest

from jupytercloud_hub.culling.together import Together


async def test_what_is_asked_at_once_is_one_piece_of_work() -> None:
    batches: list[list[int]] = []

    async def work(questions: list[int]) -> list[int]:
        batches.append(questions)
        return [question * 2 for question in questions]

    together = Together(work)
    assert await asyncio.gather(*(together.ask(number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert batches == [[0, 1, 2, 3, 4]]


async def test_an_answer_is_of_work_that_began_after_the_question() -> None:
    state, gate = {"now": "old"}, asyncio.Event()

    async def work(questions: list[str]) -> list[str]:
        seen = state["now"]
        await gate.wait()
        return [seen] * len(questions)

    together = Together(work)
    first = asyncio.create_task(together.ask("first"))
    while together._waiting or together._running is None:
        await asyncio.sleep(0)
    state["now"] = "new"
    second = asyncio.create_task(together.ask("second"))
    await asyncio.sleep(0)
    gate.set()
    assert (await first, await second) == ("old", "new")


async def test_work_that_fails_fails_for_those_who_asked_and_for_nobody_else() -> None:
    async def work(questions: list[str]) -> list[str]:
        if "bad" in questions:
            raise ValueError("bad")
        return questions

    together = Together(work)
    found = await asyncio.gather(together.ask("bad"), together.ask("beside"), return_exceptions=True)
    assert [type(each) for each in found] == [ValueError, ValueError]
    assert await together.ask("good") == "good"


async def test_who_no_longer_waits_keeps_nobody_from_an_answer() -> None:
    async def work(questions: list[str]) -> list[str]:
        await asyncio.sleep(0.05)
        return questions

    together = Together(work)
    gone = asyncio.create_task(together.ask("gone"))
    stays = asyncio.create_task(together.ask("stays"))
    await asyncio.sleep(0.01)
    gone.cancel()
    assert await stays == "stays"
    with pytest.raises(asyncio.CancelledError):
        await gone

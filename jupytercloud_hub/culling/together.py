"""Does for many at once what each asks for itself: ten stops that end together are one transaction, not ten.

Promises:

1. An answer is of work that began after the question.
2. What is asked while work is under way waits for the next, which takes all that waits.
3. Work that fails fails for those who asked for it, and for nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Together(Generic[Asked, Answer]):
    """Collects questions for ``work``, which answers a list of them in their order."""

    def __init__(self, work: Callable[[list[Asked]], Awaitable[list[Answer]]]) -> None:
        self._work = work
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, question: Asked) -> Answer:
        """Return the answer to one question. Raises what the work raised."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # whoever asks in this turn of the loop comes along
                batch, self._waiting = self._waiting, []
                await self._do(batch)
        finally:
            self._running = None

    async def _do(self, batch: list[tuple[Asked, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._work([question for question, _ in batch])
        except Exception as error:
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)

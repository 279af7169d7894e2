"""A cable that can be cut: a TCP relay on loopback that delays, refuses or swallows, all of it or one kind of talk."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["through", "slow", "cut", "silent"]
"""``cut`` ends connections at once, as a closed port does; ``silent`` takes them and never answers, as a lost route."""


@dataclass
class Wire:
    """One cable from ``port`` to ``target``; with ``only``, its mode is for talks whose first bytes hold those."""

    port: int
    target: int | str
    """A port of this machine, another's address with its port (``10.0.0.1:6443``), or the path of a socket."""
    only: bytes = b""
    mode: Mode = "through"
    delay: float = 1.0
    _server: asyncio.Server | None = None
    _open: dict[asyncio.StreamWriter, bool] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """End with all that is open."""
        if self._server:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, mode: Mode) -> None:
        """Change what happens from now on; ``cut`` and ``silent`` end what is open, too."""
        self.mode = mode
        if mode in ("cut", "silent"):
            for writer, meant in list(self._open.items()):
                if meant:
                    writer.transport.abort()

    async def hang_up(self) -> None:
        """End all talks: what was sent into the void meanwhile is lost."""
        for writer, meant in list(self._open.items()):
            if meant:
                writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        onward: asyncio.StreamWriter | None = None
        try:
            first = await reader.read(65536) if self.only else b""
            meant = not self.only or self.only in first
            self._open[writer] = meant
            if meant and self.mode == "cut":
                return
            if meant and self.mode == "silent":
                await reader.read()
                return
            back, onward = await self._onward()
            self._open[onward] = meant
            onward.write(first)
            await asyncio.gather(self._pump(reader, onward, meant), self._pump(back, writer, meant))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, onward):
                if end is not None:
                    self._open.pop(end, None)
                    with contextlib.suppress(OSError, RuntimeError):
                        end.close()

    async def _onward(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, int):
            return await asyncio.open_connection("127.0.0.1", self.target)
        if self.target.startswith("/"):
            return await asyncio.open_unix_connection(self.target)
        host, _, port = self.target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, meant: bool) -> None:
        while data := await reader.read(65536):
            if meant and self.mode == "slow":
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

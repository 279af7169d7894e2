"""Runs the demo's processes: the provider and three hubs start at once, are watched, and end together.

This is a process of its own, started by ``jupytercloud demo`` (`__main__` below), which holds the other end of its
standard input: when that closes, for whatever reason, everything ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from ..contracts.text import Text
from ..spawners.processes import end_with_parent, last_lines
from . import files, keeper, node, provider_process
from .plan import HOST, Hub, Plan

START_SECONDS = 180.0
STOP_SECONDS = 6.0
KILL_AFTER = 2.0
LOOK_SECONDS = 0.2
ROUTABLE = ("up", "degraded")
RUNNING = "running.json"
"""Process numbers by name, in the state folder, while the demo runs."""

Say = Callable[[Text], None]


class StartFailedError(Exception):
    """A process did not come up; `text` says which, and where its log is."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


@dataclass
class Supervisor:
    """The processes of one demo."""

    plan: Plan
    say: Say
    node_folder: Path
    ready_file: Path | None = None
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _logs: list[IO[bytes]] = field(default_factory=list)

    async def start(self) -> None:
        """Bring everything up. Raises `StartFailedError`, or what ``node.prepare`` raises."""
        place = node.place(self.node_folder)
        if not node.is_prepared(place):
            self.say(Text("Node packages: being installed, once (half a minute)…"))
        place = await asyncio.to_thread(node.prepare, self.node_folder)
        await asyncio.to_thread(files.write, self.plan, place)
        await self._start_provider(place)
        for hub in self.plan.hubs:
            await self._start_hub(hub)
        self._note()
        self.say(Text("Starting: OpenID provider, portal, paris-saclay, grenoble…"))
        async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
            await asyncio.gather(
                self._until("provider", http, f"{self.plan.issuer}/.well-known/openid-configuration"),
                *(self._until_hub(hub, http) for hub in self.plan.hubs),
            )
            await self._until_sites_are_up(http)

    async def watch(self) -> None:
        """Tell when a process ends; a hub that was killed stays so, for it is what the pages then say that counts."""
        waits = {asyncio.ensure_future(p.wait()): name for name, p in self.processes.items()}
        while waits:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                name = waits.pop(ended)
                self.say(
                    Text(
                        "{name} has ended (code {code}); its log: {log}. Ctrl-C, then start again.",
                        name=name,
                        code=ended.result(),
                        log=str(self._log_path(name)),
                    )
                )

    async def stop(self) -> None:
        """Ask every process to end, wait, and kill what is left. Can be called at any time, and twice."""
        for process in self.processes.values():
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        waits = [asyncio.ensure_future(p.wait()) for p in self.processes.values()]
        if waits:
            await asyncio.wait(waits, timeout=STOP_SECONDS)
        await asyncio.to_thread(keeper.end_all, KILL_AFTER)
        for log in self._logs:
            log.close()
        with contextlib.suppress(OSError):
            (self.plan.state / RUNNING).unlink()

    async def _start_provider(self, place: Path) -> None:
        config = self.plan.state / provider_process.CONFIG_NAME
        secret = provider_process.write_config(config, files.provider_config(self.plan))
        await self._run(
            "provider",
            provider_process.command(place, config),
            {"JUPYTERCLOUD_DEMO_SECRET": secret},
            self.plan.state,
        )

    async def _start_hub(self, hub: Hub) -> None:
        command = [sys.executable, "-m", "jupyterhub", "--config", "jupyterhub_config.py"]
        await self._run(hub.name, command, {}, self.plan.folder(hub.name))

    async def _run(self, name: str, command: list[str], more: dict[str, str], folder: Path) -> None:
        log = self._log_path(name).open("wb")
        self._logs.append(log)
        parent = os.getpid()
        self.processes[name] = await asyncio.create_subprocess_exec(
            *command,
            env={**_environment(self.plan), **more},
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(parent),
        )

    async def _until_hub(self, hub: Hub, http: httpx.AsyncClient) -> None:
        began = time.monotonic()
        # The hub itself first: while the proxy has no route yet, each question would cost the hub an error page.
        await self._until(hub.name, http, f"http://{HOST}:{hub.hub}{hub.base_path}hub/health")
        await self._until(hub.name, http, f"{hub.url}hub/health")
        for service in hub.services:
            await self._until(hub.name, http, f"{hub.url}services/{service}/health")
        self.say(Text("  {name}: up after {seconds} s", name=hub.name, seconds=round(time.monotonic() - began, 1)))

    async def _until_sites_are_up(self, http: httpx.AsyncClient) -> None:
        """A site is unknown to the portal until it has looked at it; nobody is to meet that."""
        url = f"{self.plan.hub('portal').url}services/federation/api/v1/status"

        def all_up(answer: httpx.Response) -> bool:
            return all(site["state"] in ROUTABLE for site in answer.json()["sites"])

        await self._until("portal", http, url, all_up)

    async def _until(
        self,
        name: str,
        http: httpx.AsyncClient,
        url: str,
        good: Callable[[httpx.Response], bool] = lambda answer: True,
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            code = self.processes[name].returncode
            if code is not None:
                raise self._failed(name, Text("it ended with code {code}", code=code))
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.get(url)
                if answer.status_code == 200 and good(answer):
                    return
            if time.monotonic() > deadline:
                raise self._failed(
                    name, Text("{url} did not answer within {seconds} s", url=url, seconds=START_SECONDS)
                )
            await asyncio.sleep(LOOK_SECONDS)

    def _failed(self, name: str, why: Text) -> StartFailedError:
        log = self._log_path(name)
        return StartFailedError(
            Text(
                "{name} did not start: {why}. The end of {log}:\n{lines}",
                name=name,
                why=why,
                log=str(log),
                lines=last_lines(log),
            )
        )

    def _log_path(self, name: str) -> Path:
        return self.plan.state / "logs" / f"{name}.log"

    def _note(self) -> None:
        pids = {name: process.pid for name, process in self.processes.items()}
        files.replace(self.plan.state / RUNNING, json.dumps(pids))


def _environment(plan: Plan) -> dict[str, str]:
    """Ours, without what another hub may have left in it; loopback never goes through a proxy."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTERHUB_", "CONFIGPROXY_", "JPY_"))}
    direct = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1,localhost")))
    return {**kept, "NO_PROXY": direct, "no_proxy": direct, "TMPDIR": str(plan.state / "tmp"), "PYTHONUNBUFFERED": "1"}


async def run(supervisor: Supervisor, announce: Callable[[], Awaitable[None] | None]) -> int:
    """Start, announce, watch; end when standard input closes or a signal comes. Returns the exit code."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    closing = asyncio.ensure_future(reader.read())
    closing.add_done_callback(lambda _: ended.set())
    work = asyncio.ensure_future(_work(supervisor, announce))
    waiting = asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()  # nothing is left to watch, or the start failed
        return 0
    except (StartFailedError, node.NodeMissingError) as error:
        supervisor.say(error.text if isinstance(error, StartFailedError) else Text("{error}", error=str(error)))
        return 1
    finally:
        work.cancel()
        supervisor.say(Text("Ending all processes…"))
        await supervisor.stop()


async def _work(supervisor: Supervisor, announce: Callable[[], Awaitable[None] | None]) -> None:
    await supervisor.start()
    told = announce()
    if told is not None:
        await told
    await supervisor.watch()

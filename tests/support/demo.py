"""A demo for tests: ``jupytercloud demo`` as a process, on free ports, in a folder of the test's own."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupytercloud_hub.demo.plan import Plan, free_run

from . import CACHE, ROOT


@dataclass
class Demo:
    """A running demo."""

    process: subprocess.Popen[bytes]
    state: Path
    output: Path
    ready: dict[str, Any]
    seconds: float
    """How long it took until the ready file was there."""

    @property
    def portal(self) -> str:
        """The portal's address."""
        return str(self.ready["portal_url"])

    def site(self, name: str) -> str:
        """A site's address."""
        return str(self.ready["sites"][name]["url"])

    def person(self, login: str) -> dict[str, Any]:
        """Somebody to log in as."""
        return next(p for p in self.ready["people"] if p["login"] == login)

    def processes(self) -> list[str]:
        """The command lines of all living processes that belong to this demo, by the folder that they work in."""
        return alive(self.state)


def free_port() -> int:
    """Return the first port of a run that is free."""
    first = free_run(Plan(Path("/nowhere"), random.randrange(20_000, 32_000)))
    assert first is not None
    return first


def alive(state: Path) -> list[str]:
    """The command lines of the living processes whose command, environment or folder names the state folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.joinpath("stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                continue
            told = [entry.joinpath(n).read_bytes().decode(errors="replace") for n in ("cmdline", "environ")]
            told.append(str((entry / "cwd").readlink()))
        except OSError:
            continue
        if int(entry.name) != os.getpid() and any(str(state) in text for text in told):
            found.append(f"{entry.name} {told[0].replace(chr(0), ' ')}")
    return found


def start(state: Path, *options: str, port: int | None = None) -> subprocess.Popen[bytes]:
    """Start a demo and return at once; what it prints goes to ``<state>.out``."""
    command = [sys.executable, "-m", "jupytercloud_hub", "demo", "--state", str(state), *options]
    with state.with_suffix(".out").open("wb") as output:
        return subprocess.Popen(
            [*command, "--port", str(port or free_port())],
            cwd=ROOT,
            env={**os.environ, "JUPYTERCLOUD_NODE_FOLDER": str(CACHE / "node"), "LC_ALL": "fr_FR.UTF-8"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def wait_ready(
    process: subprocess.Popen[bytes], ready_file: Path, output: Path, seconds: float = 240
) -> dict[str, Any]:
    """Wait for the ready file. Raises AssertionError with what the demo printed when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready_file.exists():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)
    return dict(json.loads(ready_file.read_text()))


@contextmanager
def running(folder: Path, *options: str, port: int | None = None) -> Iterator[Demo]:
    """A demo that is up; at the end it gets Ctrl-C, and nothing of it may be left."""
    state, ready_file = folder / "state", folder / "ready.json"
    began = time.monotonic()
    process = start(state, "--ready-file", str(ready_file), *options, port=port)
    try:
        ready = wait_ready(process, ready_file, state.with_suffix(".out"))
        yield Demo(process, state, state.with_suffix(".out"), ready, time.monotonic() - began)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()

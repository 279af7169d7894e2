"""Where the CPU time of hubs and services goes, and which of it is ours (py-spy, where it is installed)."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

PROFILED = ("portal hub", "portal federation", "grenoble hub", "grenoble quotas", "stock hub")
RATE = 100
_ENTRY = ("jupytercloud_hub/__main__.py", "jupytercloud_hub/cli/")
"""Below everything that a service does: says nothing."""
_OURS = re.compile(r"([^\s;]+) \((?:[^()]*/)?(jupytercloud_hub/[^:)]+)")


@asynccontextmanager
async def recording(processes: dict[str, psutil.Process], folder: Path) -> AsyncIterator[None]:
    """Record while the context lasts; one file of stacks (flamegraph's format) for each process.

    Only threads that hold Python's lock: the others wait, for instance for a database's next question.
    """
    program = shutil.which("py-spy") or str(Path(sys.executable).with_name("py-spy"))
    folder.mkdir(parents=True, exist_ok=True)
    recorders = [
        await asyncio.create_subprocess_exec(
            *(program, "record", "--pid", str(processes[name].pid), "--rate", str(RATE), "--format", "raw"),
            *("--gil", "--full-filenames", "--output", str(folder / f"{name.replace(' ', '-')}.txt")),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        for name in PROFILED
        if name in processes
    ]
    try:
        yield
    finally:
        for recorder in recorders:
            if recorder.returncode is None:
                recorder.send_signal(signal.SIGINT)
        await asyncio.gather(*(recorder.wait() for recorder in recorders))


def ours(stacks: Iterable[str], most: int = 25) -> tuple[float, list[tuple[float, str]]]:
    """Return the share of samples with something of ours in the stack, and our functions by their share.

    A function's share is inclusive: what it calls, of libraries too, is its own.
    """
    total, with_ours, functions = 0, 0, Counter[str]()
    for line in stacks:
        stack, _, count = line.rstrip().rpartition(" ")
        total += int(count)
        found = {f"{name} ({file})" for name, file in _OURS.findall(stack) if not file.startswith(_ENTRY)}
        with_ours += int(count) if found else 0
        for function in found:
            functions[function] += int(count)
    if not total:
        return 0.0, []
    return with_ours / total, [(count / total, name) for name, count in functions.most_common(most)]


def summary(folder: Path) -> str:
    """Return the summary of all files of a folder."""
    lines = []
    for path in sorted(folder.glob("*.txt")):
        share, functions = ours(path.read_text().splitlines())
        lines.append(f"{path.stem}: {share:.0%} of the samples are ours")
        lines += [f"  {part:6.1%}  {name}" for part, name in functions]
    return "\n".join(lines)

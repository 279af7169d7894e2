"""Lets no process of the demo outlive it (Linux; elsewhere only the processes started directly are ended).

JupyterHub starts servers, services and its proxy in sessions of their own, so process groups do not find them.
Hence the kernel's "child subreaper" (prctl(2)): whatever loses its parent becomes ours, and the tree below us in
/proc is complete. Two processes stand in line, each a subreaper: the command that was typed, and the supervisor.
Whichever dies, by ``kill -9`` too, the other ends the tree.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
STEP = 0.05


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def descendants(root: int | None = None) -> set[int]:
    """The living processes below ``root`` (this process); those that ended and wait to be read are left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # proc(5): the name, in parentheses, may hold anything; then state and parent.
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry.name))
            else:
                children.setdefault(int(parent), [])
    found: set[int] = set()
    waiting = [root or os.getpid()]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def end_all(patience: float, root: int | None = None, spare: frozenset[int] = frozenset()) -> None:
    """End every descendant: asked first, killed after ``patience`` seconds. Blocks until none is left."""
    deadline = time.monotonic() + patience
    asked: set[int] = set()
    while living := descendants(root) - spare:
        late = time.monotonic() > deadline
        for pid in living if late else living - asked:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= living
        time.sleep(STEP)
        if time.monotonic() > deadline + 5:  # nothing that we may end
            return

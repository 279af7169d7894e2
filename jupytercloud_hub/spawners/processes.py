"""What Linux knows of a process: when it was born, who its parent is, what it said last."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)

TAIL_BYTES = 4000
TAIL_LINES = 12


def born(pid: int) -> str | None:
    """Return when a process began (clock ticks since boot, with the boot's id), None where that is not known.

    Together with its number this names a process for ever: proc(5), field 22 of ``/proc/<pid>/stat``.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return f"{boot}:{stat.rpartition(')')[2].split()[19]}"


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and only its parent has not taken note: proc(5), field 3 of ``stat``."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def end_with_parent(parent: int) -> None:
    """Let the kernel end the calling process when its parent ends; called in the child, before exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the kernel was told
        os._exit(1)


def last_lines(path: Path) -> str:
    """Return the last lines of a log, empty where there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-TAIL_LINES:])

"""Real engines for tests: the ones that the environment names, or those that ``tests/engines`` brings up. Root.

Fixtures (session): `swarm` and `kubernetes`. What test runs brought up, the last of them takes down; what was
brought up by hand (``make engines-up``) stays.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import ROOT

SCRIPTS = ROOT / "tests" / "engines"
RUN = Path(os.environ.get("ENGINES_RUN", "/tmp/jupytercloud-engines"))
LIGHT, NOTEBOOK = "local/light:test", "local/notebook:test"


def script(name: str, *arguments: str, check: bool = True, timeout: float = 170) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts of ``tests/engines``; what it says on failure is the error."""
    done = subprocess.run(
        [str(SCRIPTS / name), *arguments], capture_output=True, text=True, check=False, timeout=timeout, cwd=ROOT
    )
    if check and done.returncode:
        raise RuntimeError(f"tests/engines/{name} {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done


@contextmanager
def up(group: str) -> Iterator[None]:
    """Hold a group of nodes up for a while, together with other test runs on this machine."""
    if os.geteuid() != 0:
        pytest.fail("real engines need root: make test-engines")
    users = RUN / f"{group}-users"  # a file for each test run; there from the beginning when tests brought it up
    mine = users / str(os.getpid())
    try:
        with _alone():
            if script(f"{group}.sh", "status", check=False).returncode:
                users.mkdir(parents=True, exist_ok=True)
            if users.exists():
                mine.touch()
            script(f"{group}.sh", "up")
        yield
    finally:
        with _alone():
            if users.exists():
                mine.unlink(missing_ok=True)
                if not any(Path(f"/proc/{other.name}").exists() for other in users.iterdir()):
                    script(f"{group}.sh", "down")


@contextmanager
def _alone() -> Iterator[None]:
    with Path(f"{RUN}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def node_process(group: str, number: int) -> int:
    """Return the process id, on this machine, of a node's first process."""
    return int((RUN / group / f"node{number}" / "pid").read_text().split()[0])

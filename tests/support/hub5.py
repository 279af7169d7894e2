"""A single-user server of JupyterHub 5, as an image of last year has it: in an environment of its own below .cache."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

from . import CACHE

PACKAGES = ("jupyterhub>=5.3,<6", "jupyter-server>=2")


def prepare() -> Path:
    """Return ``jupyterhub-singleuser`` of JupyterHub 5; installed once, whichever Python came first."""
    folder = CACHE / "hub5"
    command, done = folder / "bin" / "jupyterhub-singleuser", folder / "done"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "hub5.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            venv.create(folder, clear=True, with_pip=True)
            pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *PACKAGES], check=True, stdout=sys.stderr)
            done.touch()
    return command

"""libfaketime: a clock that can be set for one process and what it starts; Debian's, unpacked inside the checkout."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from . import CACHE, chromium

FOLDER = CACHE / "faketime"
NAME = "libfaketime.so.1"


def library() -> Path:
    """Return the library's path: the machine's own, or one that is fetched once."""
    for root in (Path("/usr/lib"), FOLDER / "root"):
        if found := sorted(root.glob(f"**/faketime/{NAME}")):
            return found[0]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for package in chromium.download(FOLDER, "libfaketime"):
            subprocess.run(["dpkg-deb", "--extract", package, FOLDER / "root"], check=True)
            package.unlink()
    return next((FOLDER / "root").glob(f"**/faketime/{NAME}"))

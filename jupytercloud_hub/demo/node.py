"""The demo's Node part: the provider's files beside the packages that `npm ci` installs from their lock
file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).parent / "provider"
OLDEST_NODE = 20


class NodeMissingError(Exception):
    """Node or npm is not there, is too old, or could not install the packages; the message says what to
    do."""


def node_version() -> int:
    """The major version of the `node` in the PATH.

    Raises:
        NodeMissingError: there is none, it is older than version 20, or npm is missing.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        missing = "node" if not node else "npm"
        raise NodeMissingError(
            f"`{missing}` was not found. The demo's OpenID provider and proxy run on Node {OLDEST_NODE} or "
            "newer: install it (Debian: apt install nodejs npm), then start again."
        )
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = int(said.lstrip("v").split(".")[0]) if said.startswith("v") else 0
    if major < OLDEST_NODE:
        raise NodeMissingError(f"{node} is {said or 'broken'}; the demo needs Node {OLDEST_NODE} or newer.")
    return major


def prepare(folder: Path) -> Path:
    """Put the provider and its packages below `folder`; return the directory that holds them.

    In it are `main.js` and `node_modules`. The packages are installed once for each lock file (npm's
    own cache stays below `folder`, too); a second call only refreshes the provider's few files. Two
    callers at once wait for each other.

    Raises:
        NodeMissingError: see `node_version`; also when npm cannot install.
    """
    node_version()
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:12]
    place = folder / f"node-{digest}"
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place / ".lock"):
        for file in SOURCE.iterdir():
            if file.is_file():
                shutil.copyfile(file, place / file.name)
        if not (place / "node_modules" / ".done").exists():
            _install(place, cache=folder / "npm-cache")
    return place


def proxy_command(place: Path) -> list[str]:
    """The command of `configurable-http-proxy` from the packages that `prepare` installed."""
    return ["node", str(place / "node_modules/configurable-http-proxy/bin/configurable-http-proxy")]


def _install(place: Path, cache: Path) -> None:
    npm = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--omit=dev", "--ignore-scripts", "--loglevel=error"],
        cwd=place,
        env={**os.environ, "npm_config_cache": str(cache), "npm_config_update_notifier": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if npm.returncode != 0:
        raise NodeMissingError(
            f"`npm ci` in {place} failed (exit {npm.returncode}). It needs to reach an npm registry once; "
            f"npm says:\n{npm.stderr.strip()[-2000:]}"
        )
    (place / "node_modules" / ".done").touch()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

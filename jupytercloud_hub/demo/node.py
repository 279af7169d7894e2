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
DONE = "node_modules/.done"


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


def place(folder: Path, *, development: bool = False) -> Path:
    """Where `prepare` puts things below ``folder``; another lock file gives another place."""
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:12]
    with_more = folder / f"{digest}-dev"
    return with_more if development or is_prepared(with_more) else folder / digest


def is_prepared(where: Path) -> bool:
    """Whether the packages are installed there already."""
    return (where / DONE).exists()


def prepare(folder: Path, *, development: bool = False) -> Path:
    """Put the provider and its packages below `folder`; return the directory that holds them.

    In it are `main.js` and `node_modules`. The packages are installed once for each lock file (npm's
    own cache stays below `folder`, too); a second call only refreshes the provider's few files. Two
    callers at once wait for each other. `development` adds what the browser tests need (axe-core).

    Raises:
        NodeMissingError: see `node_version`; also when npm cannot install.
    """
    node_version()
    where = place(folder, development=development)
    where.mkdir(parents=True, exist_ok=True)
    with _locked(where / ".lock"):
        for file in SOURCE.iterdir():
            if file.is_file() and not _same(file, where / file.name):
                shutil.copyfile(file, where / file.name)
        if not is_prepared(where):
            _install(where, folder / "npm-cache", development)
    return where


def proxy_command(where: Path) -> list[str]:
    """The command of `configurable-http-proxy` from the packages that `prepare` installed."""
    return ["node", str(where / "node_modules/configurable-http-proxy/bin/configurable-http-proxy")]


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


def _install(where: Path, cache: Path, development: bool) -> None:
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    npm = subprocess.run(
        ["npm", "ci", *options, *([] if development else ["--omit=dev"])],
        cwd=where,
        env={"npm_config_cache": str(cache), **os.environ, "npm_config_update_notifier": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if npm.returncode != 0:
        raise NodeMissingError(
            f"`npm ci` in {where} failed (exit {npm.returncode}). It needs to reach an npm registry once; "
            f"npm says:\n{npm.stderr.strip()[-2000:]}"
        )
    (where / DONE).touch()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

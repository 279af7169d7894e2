"""Debian's Chromium for the browser tests: the machine's own, or one unpacked inside the checkout without root.

Nothing is installed: apt downloads what the machine lacks into a folder of ours, dpkg-deb unpacks it there, and a
small script runs it with its libraries and fonts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

SYSTEM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
VARIABLE = "JUPYTERCLOUD_CHROMIUM"
FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{root}/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{folder}/fonts</cachedir></fontconfig>
"""


class NoBrowserError(Exception):
    """There is no browser, and none can be fetched; the message says what to do."""


def prepare(folder: Path) -> Path:
    """Return the path of a Chromium; one is fetched below `folder` when the machine has none.

    ``JUPYTERCLOUD_CHROMIUM`` names another one. Two callers at once wait for each other.
    """
    for candidate in (os.environ.get(VARIABLE), *SYSTEM):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        script = folder / "chromium"
        if not script.exists():
            if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
                raise NoBrowserError(f"no Chromium here, and no apt to fetch one: name yours by {VARIABLE}=PATH")
            print("fetching Debian's Chromium into", folder, "(once; about 100 MB)", file=sys.stderr)
            _unpack(download(folder, "chromium", "fonts-dejavu-core"), folder / "root")
            _write_script(folder, script)
    return script


def download(folder: Path, *names: str) -> list[Path]:
    """Download Debian packages and what the machine lacks for them, without root; return the files."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State": folder / "state",
        "Dir::State::status": "/var/lib/dpkg/status",  # what the machine has need not come again
        "Dir::Cache": folder / "cache",
        "Debug::NoLocking": "1",
        "Acquire::Languages": "none",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "",
        "APT::Keep-Downloaded-Packages": "1",
        "DPkg::Post-Invoke::": "",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    # A broken third-party source must not matter: what counts is whether the download succeeds.
    update = subprocess.run([*apt, "update"], env=environment, capture_output=True, text=True, check=False)
    wanted = [*apt, "install", "--download-only", "--yes", *names]
    got = subprocess.run(wanted, env=environment, capture_output=True, text=True, check=False)
    packages = sorted((folder / "cache/archives").glob("*.deb"))
    if got.returncode != 0 or not any(p.name.startswith(f"{names[0]}_") for p in packages):
        said = "\n".join((update.stderr + got.stdout + got.stderr).strip().splitlines()[-15:])
        raise NoBrowserError(f"apt could not fetch {names[0]} (a Chromium of yours: {VARIABLE}=PATH). It says:\n{said}")
    return packages


def _unpack(packages: list[Path], root: Path) -> None:
    root.mkdir(exist_ok=True)
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
        package.unlink()


def _write_script(folder: Path, script: Path) -> None:
    root = folder / "root"
    libraries = sorted({str(p.parent) for p in root.rglob("*.so*")})
    lines = ["#!/bin/sh", f'export LD_LIBRARY_PATH="{":".join(libraries)}"']
    if not Path("/etc/fonts/fonts.conf").exists():
        (folder / "fonts.conf").write_text(FONTS_CONF.format(root=root, folder=folder))
        lines.append(f'export FONTCONFIG_FILE="{folder}/fonts.conf"')
    lines.append(f'exec "{root}/usr/lib/chromium/chromium" "$@"')
    new = folder / "chromium.new"
    new.write_text("\n".join(lines) + "\n")
    new.chmod(0o755)
    new.replace(script)


if __name__ == "__main__":
    from . import CACHE

    print(prepare(CACHE / "chromium"))

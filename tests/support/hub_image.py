"""The hub's image for the tests' cluster: this package and what it stands on, taken from the environment that runs the
tests, on top of the tests' notebook image. Nothing is fetched; images/ holds the one that sites build.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from . import ROOT
from .engines import NOTEBOOK, RUN
from .engines_kubernetes import Kubernetes

HUB = "local/hub:test"
_LEFT_OUT = {"fpdf2", "pillow", "fonttools"}
"""For posters and reports of events, which no service prints."""
_DOCKERFILE = f"""FROM {NOTEBOOK}
ADD site.tar /opt/hub
WORKDIR /srv/jupyterhub
ENV PYTHONPATH=/opt/hub PATH=/opt/hub/bin:/opt/venv/bin:/usr/bin:/bin
CMD []
"""
_COMMAND = b"#!/opt/venv/bin/python\nfrom %s import main\nmain()\n"


_CHART = ("pycurl",)
"""What the chart's configuration of the hub imports; installed by hand (pip)."""


def load_hub_image(cluster: Kubernetes, extras: tuple[str, ...] = ("postgresql",)) -> None:
    """Build the image on each node of the tests' own cluster; extra ``chart``: what the chart imports."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    cluster.need_own("an image that no registry has")
    for node in cluster.nodes:
        asked = [*_docker(node), "run", "--rm", "--network=none", NOTEBOOK, "python", "-V"]
        theirs = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=170).stdout
        assert f" {python}." in theirs, f"the tests' image has {theirs}, and these tests run on {python}"
    build(cluster, HUB, _context(extras))


def build(cluster: Kubernetes, tag: str, context: bytes) -> None:
    """Build an image from a packed context on each node of the tests' own cluster."""
    cluster.need_own("an image that no registry has")

    def on(node: str) -> None:
        command = [*_docker(node), "build", "--quiet", "--network=none", "--tag", tag, "-"]
        environment = {"DOCKER_BUILDKIT": "0", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(command, input=context, capture_output=True, env=environment, check=False, timeout=300)
        assert done.returncode == 0, done.stderr.decode()

    with ThreadPoolExecutor() as pool:
        list(pool.map(on, cluster.nodes))


def _docker(node: str) -> list[str]:
    return ["docker", "-H", f"unix://{RUN}/kubernetes/{node}/engine/docker.sock"]


def _context(extras: tuple[str, ...]) -> bytes:
    site = io.BytesIO()
    with tarfile.open(fileobj=site, mode="w") as tar:
        for source, inside in sorted({inside: (path, inside) for path, inside in _files(extras)}.values()):
            tar.add(source, inside, recursive=False)
        add(tar, "bin/jupytercloud", _COMMAND % b"jupytercloud_hub.cli.main", 0o755)
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        add(tar, "Dockerfile", _DOCKERFILE.encode())
        add(tar, "site.tar", site.getvalue())
    return context.getvalue()


def add(tar: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    """Add a file to an archive."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def _files(extras: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for path in (ROOT / "jupytercloud_hub").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path, path.relative_to(ROOT).as_posix()
    wanted = _closure("jupytercloud-hub", extras)
    for name in _CHART if "chart" in extras else ():
        wanted |= _closure(name, ())
    for name, found in wanted.items():
        for file in found.files or ():
            inside = file.as_posix()
            if inside.startswith("..") or "__pycache__" in inside or inside.endswith(".pth"):
                continue
            if re.match(r"babel/locale-data/(?!root|fr|en)", inside):
                continue
            if name != "jupytercloud-hub" or ".dist-info/" in inside:
                yield Path(str(file.locate())), inside


def _closure(name: str, extras: tuple[str, ...]) -> dict[str, Distribution]:
    """Return a distribution and all that it needs, by name."""
    found: dict[str, Distribution] = {}
    wanted = [(name, extras)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while wanted:
        one, asked = wanted.pop()
        if (one, asked) in seen:
            continue
        seen.add((one, asked))
        found[one] = distribution(one)
        for line in found[one].requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *asked)):
                below = re.sub(r"[-_.]+", "-", need.name).lower()
                if below not in _LEFT_OUT:
                    wanted.append((below, tuple(sorted(need.extras))))
    return found

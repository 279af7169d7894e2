"""The tests' notebook image with this package in it, without dependencies, as ``images/notebook-base`` installs it."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from . import ROOT
from .engines import NOTEBOOK
from .engines_swarm import Swarm

OURS = "local/notebook-ours:test"
_DOCKERFILE = f"""FROM {NOTEBOOK}
USER 0
COPY *.whl /tmp/
RUN /opt/venv/bin/pip install --quiet --no-deps --no-index /tmp/*.whl
USER 1000
"""


def load_notebook_of_ours(swarm: Swarm, folder: Path) -> None:
    """Build it on each machine of the tests' own Swarm."""
    swarm.need_own("an image that no registry has")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(_DOCKERFILE)
        tar.addfile(entry, io.BytesIO(_DOCKERFILE.encode()))
        for wheel in folder.glob("*.whl"):
            tar.add(wheel, wheel.name)
    for node in swarm.nodes:
        context.seek(0)
        swarm.client_of(node).images.build(
            fileobj=context, custom_context=True, tag=OURS, network_mode="none", rm=True, timeout=300
        )


def in_all_profiles(settings: dict[str, Any]) -> None:
    """As an administrator says it whose people all have this image."""
    for profile in settings["profiles"]:
        profile["image"] = OURS

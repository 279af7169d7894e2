"""A CVMFS-like /cvmfs on the nodes of a group: real autofs, mounted when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .engines import script

REPOSITORIES = ("lpnhe.in2p3.fr", "sft.cern.ch")


@contextmanager
def cvmfs(group: str) -> Iterator[None]:
    """Mount /cvmfs on every node of ``swarm`` or ``kubernetes``; afterwards it goes."""
    script("cvmfs.sh", "up", group)
    try:
        yield
    finally:
        script("cvmfs.sh", "down", group)


def mounted(group: str, node: str) -> list[str]:
    """Return the repositories that a node has mounted now."""
    lines = script("cvmfs.sh", "mounted", group, node.removeprefix("node")).stdout.split()
    return [line.removeprefix("/cvmfs/") for line in lines]

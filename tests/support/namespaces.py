"""The calling thread in the network of a container, so that a hub in the test's own process stands in an overlay."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEW_MOUNTS, NEW_NETWORK, OWN_FOLDER = 0x00020000, 0x40000000, 0x00000200
PRIVATE, BIND, RECURSIVE = 1 << 18, 1 << 12, 1 << 14
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def network_of(namespace: Path, resolver: str | None = None) -> Iterator[None]:
    """Put the calling thread, and every thread and process that it starts, into a network namespace.

    ``resolver`` becomes the only name server there. Threads that run already stay where they are. Sockets of the file
    system (Docker's) are reached as before.
    """
    here = Path.cwd()
    own = Path(f"/proc/self/task/{_libc.gettid()}/ns")
    with (own / "net").open() as network, (own / "mnt").open() as mounts, namespace.open() as wanted:
        _check(_libc.unshare(NEW_MOUNTS))
        try:
            _check(_libc.setns(wanted.fileno(), NEW_NETWORK))
            _check(_libc.mount(None, b"/", None, PRIVATE | RECURSIVE, None))
            if resolver:
                with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
                    file.write(f"nameserver {resolver}\noptions timeout:2\n")
                    file.flush()
                    _check(_libc.mount(file.name.encode(), b"/etc/resolv.conf", None, BIND, None))
            yield
        finally:
            _check(_libc.setns(network.fileno(), NEW_NETWORK))
            _check(_libc.unshare(OWN_FOLDER))  # threads that were started meanwhile share it
            _check(_libc.setns(mounts.fileno(), NEW_MOUNTS))
            os.chdir(here)

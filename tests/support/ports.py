"""Ports that are free now."""

from __future__ import annotations

import socket


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port on which nothing listens, of loopback or of another address of this machine."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """Return so many of them, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()

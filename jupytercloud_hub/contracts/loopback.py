"""This machine's own addresses: plain http is allowed to them, and no proxy stands between."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Host names of this machine (RFC 8252 §8.3; RFC 6761 §6.3)."""


def is_loopback(url: str) -> bool:
    """Return whether an address leads to this very machine."""
    return urlsplit(url).hostname in LOOPBACK

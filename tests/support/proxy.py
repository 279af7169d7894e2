"""npm's configurable-http-proxy from the demo's own Node packages: what hubs in tests stand behind."""

from __future__ import annotations

from functools import cache

from jupytercloud_hub.demo import node

from . import CACHE


@cache
def proxy_command() -> list[str]:
    """Return the command; the packages are installed below `.cache/` at the first call."""
    return node.proxy_command(node.prepare(CACHE / "node"))

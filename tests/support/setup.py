"""What the tests need that pip does not bring: Node packages and a browser, all inside this folder."""

from __future__ import annotations

from jupytercloud_hub.demo import node
from tests.support import chromium, faketime, hub5

from . import CACHE

if __name__ == "__main__":
    print("Node packages (OpenID provider, proxy, axe-core):", node.prepare(CACHE / "node", development=True))
    print("browser:", chromium.prepare(CACHE / "chromium"))
    print("a clock that can be set:", faketime.library())
    print("single-user server of JupyterHub 5:", hub5.prepare())

"""The demo's OpenID provider for tests: the real one, on a free port, with the clients and people that a
test gives."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from jupytercloud_hub.demo import node, provider_process

from . import CACHE


@contextlib.asynccontextmanager
async def provider(folder: Path, **config: Any) -> AsyncIterator[str]:
    """Yields the issuer. `config`: keys of jupytercloud_hub/demo/provider/README.md."""
    async with provider_process.start(node.prepare(CACHE / "node", development=True), folder, config) as issuer:
        yield issuer

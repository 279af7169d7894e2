"""Starts the made-up OpenID provider as a process of its own (see provider/README.md for what it can be
told)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

CONFIG_NAME = "provider.json"
START_SECONDS = 90.0


def write_config(path: Path, config: dict[str, Any]) -> str:
    """Write the provider's configuration (mode 600); return the secret that has to be in its environment."""
    secret = secrets.token_hex(16)
    path.touch(mode=0o600)
    path.write_text(json.dumps({**config, "demo_secret": secret}, ensure_ascii=False, indent=1), encoding="utf-8")
    return secret


def command(place: Path, config: Path) -> list[str]:
    """The provider's command line; `place` is what `node.prepare` returned."""
    return [
        "node",
        str(place / "main.js"),
        "--demo",
        "--config",
        str(config),
        "--end-with-stdin",
        "--verbose",
    ]


@contextlib.asynccontextmanager
async def start(place: Path, folder: Path, config: dict[str, Any], log: IO[bytes] | None = None) -> AsyncIterator[str]:
    """Run the provider while the context lasts; yields its issuer once it listens.

    Args:
        place: the directory that `node.prepare` returned.
        folder: where its configuration file goes.
        config: what README.md describes, without `demo_secret`.
        log: an open file for its standard error; None: inherited.

    Raises:
        RuntimeError: it ended before it was ready; its own words are in `log`.
    """
    path = folder / CONFIG_NAME
    secret = write_config(path, config)
    process = await asyncio.create_subprocess_exec(
        *command(place, path),
        env={**os.environ, "JUPYTERCLOUD_DEMO_SECRET": secret},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        if not line:
            raise RuntimeError(f"the demo's OpenID provider ended with status {await process.wait()}")
        yield str(json.loads(line)["issuer"])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()

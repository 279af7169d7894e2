"""The secrets that the settings name: are they where the file says, and do only their owners read them?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...settings import Secret
from ...settings.problems import format_key
from .look import Look

AREA = "settings"


async def look(at: Look) -> list[Finding]:
    """Return what is found about the file and its secrets."""
    found = [Finding(AREA, "ok", Text("{file}: no mistake found", file=str(at.settings.file)))]
    for key, secret in secrets_of(at.settings):
        found += _one(key, secret, at.settings.folder)
    return found


def _one(key: str, secret: Secret, folder: Path) -> Iterator[Finding]:
    if secret.env is not None:
        if not os.environ.get(secret.env):
            what = Text(
                "{key}: {name} is not set in this shell; what the hub has can't be seen", key=key, name=secret.env
            )
            yield Finding(AREA, "skipped", what, Text("Run this with the hub's environment, or trust the hub's start."))
        return
    path = folder / (secret.file or "")
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except PermissionError:
        what = Text("{key}: {path} is not readable by this account", key=key, path=str(path))
        yield Finding(AREA, "skipped", what, Text("Run this as the hub's own account."))
        return
    except OSError as error:
        what = Text(
            "{key}: the file {path} can't be read: {error}", key=key, path=str(path), error=error.strerror or ""
        )
        yield Finding(
            AREA, "error", what, Text("Write the secret into that file."), Text("the hub does not start without it")
        )
        return
    if not content.strip():
        what = Text("{key}: the file {path} is empty", key=key, path=str(path))
        yield Finding(AREA, "error", what, Text("Write the secret into that file."))
    elif mode & 0o007:
        what = Text("{key}: every account of this machine reads {path}", key=key, path=str(path))
        yield Finding(AREA, "warning", what, Text("chmod o= {path}", path=str(path)))
    else:
        yield Finding(AREA, "ok", Text("{key}: the secret is where the file says", key=key))


def secrets_of(value: Any, key: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Secret]]:
    """Yield every secret of the settings with its place."""
    if isinstance(value, Secret):
        yield format_key(key), value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name), (*key, name))
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from secrets_of(one, (*key, name))
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from secrets_of(one, (*key, index))

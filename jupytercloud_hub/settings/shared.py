"""A catalogue that several hubs share: ``profiles: {file: …}`` or ``profiles: {url: …, sha256: …}``."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ..contracts.model import Model
from ..contracts.text import Text

SECONDS = 10
LARGEST = 1_000_000
"""Bytes that a catalogue may have."""

Fetch = Callable[[str], bytes]


class SharedError(Exception):
    """A catalogue that cannot be had; `text` says why."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


class SharedCatalogue(Model):
    """Where the catalogue is. What is got by address must have the checksum; a kept copy does without the network."""

    file: Path | None = None
    """File with a list of profiles, relative to this one."""
    url: str | None = None
    """Address of such a file, in https."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Its checksum (``sha256sum``): needed with ``url``, compared with ``file`` where it is given."""

    @field_validator("url")
    @classmethod
    def _in_https(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://x")
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost"}):
            raise ValueError(Text("an address in https is expected; http is for this machine's own only"))
        return value

    @model_validator(mode="after")
    def _one_place(self) -> SharedCatalogue:
        if (self.file is None) == (self.url is None):
            raise ValueError(Text("one of file and url is needed, not both"))
        if self.url and not self.sha256:
            raise ValueError(Text("sha256 is needed with url: what comes from the network must be what was looked at"))
        return self

    def read(self, folder: Path, kept: Path, fetch: Fetch | None = None) -> tuple[str, Path]:
        """Return the text and the path to name in its mistakes. Raises `SharedError`.

        ``folder``: where relative paths begin. ``kept``: where a copy of what came from the network stays.
        """
        if self.file is not None:
            path = folder / self.file
            try:
                data = path.read_bytes()
            except OSError as error:
                rule = Text("the file {path} can't be read: {error}", path=str(path), error=error.strerror or "")
                raise SharedError(rule) from None
            return self._checked(data, str(path)), path
        copy = kept / f"catalogue-{self.sha256}.yaml"
        if copy.exists():
            return self._checked(copy.read_bytes(), str(copy)), copy
        data = (fetch or _get)(self.url or "")
        text = self._checked(data, self.url or "")
        kept.mkdir(parents=True, exist_ok=True)
        draft = copy.with_suffix(".new")
        draft.write_bytes(data)
        draft.replace(copy)
        return text, copy

    def _checked(self, data: bytes, place: str) -> str:
        found = sha256(data).hexdigest()
        if self.sha256 and found != self.sha256:
            raise SharedError(Text("{place} has another checksum: {found}", place=place, found=found))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise SharedError(Text("{place} is not text in UTF-8", place=place)) from None


def _get(url: str) -> bytes:
    """Return what stands at an address, through the proxy that the environment names."""
    if not re.match(r"https?://", url):
        raise SharedError(Text("an address in https is expected; http is for this machine's own only"))
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - http and https only, see above
            data = answer.read(LARGEST + 1)
    except (OSError, urllib.error.URLError) as error:
        raise SharedError(Text("{url} can't be read: {error}", url=url, error=str(error))) from None
    if len(data) > LARGEST:
        raise SharedError(Text("{url} is larger than {largest} bytes", url=url, largest=LARGEST))
    return bytes(data)


def or_shared(schema: dict[str, Any]) -> None:
    """Let a JSON Schema of the profiles take a shared catalogue too."""
    own = {key: schema.pop(key) for key in ("type", "items") if key in schema}
    schema["anyOf"] = [own, SharedCatalogue.model_json_schema()]

"""Secrets come from the environment or from files; the configuration file only says from where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from ..contracts.model import Model
from ..contracts.text import Text


class SecretMissingError(Exception):
    """A secret that is not where the configuration says; `text` names the place, never the value."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


class Secret(Model):
    """Where a secret is kept: ``{env: NAME}`` or ``{file: PATH}``."""

    env: str | None = None
    """Name of an environment variable."""
    file: Path | None = None
    """Path of a file; white space around its content does not count."""

    @model_validator(mode="before")
    @classmethod
    def _no_plain_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(
                Text("a secret is not written here: say {{env: NAME}} or {{file: PATH}}, where it is kept")
            )
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError(Text("one of env and file is needed, not both"))
        return self

    def read(self, base: Path | None = None) -> str:
        """Return the secret; a relative file is looked for in ``base``. Raises `SecretMissingError`."""
        if self.env is not None:
            value = os.environ.get(self.env, "")
            if not value:
                raise SecretMissingError(Text("the environment variable {name} is not set", name=self.env))
            return value
        path = (base or Path()) / (self.file or "")
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SecretMissingError(
                Text("the file {path} can't be read: {error}", path=str(path), error=error.strerror or "")
            ) from None
        if not value:
            raise SecretMissingError(Text("the file {path} is empty", path=str(path)))
        return value

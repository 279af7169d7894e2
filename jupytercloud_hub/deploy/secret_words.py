"""What is a secret, and what only says where one is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..contracts.text import Text
from ..settings.problems import Problem
from .places import Values

_NAMES = re.compile(
    r"(?i)(^|[_-])(password|passwd|secret|token|api_?token|private_?key|crypt_?key|access_?key|credentials)s?$"
    r"|cookie_?secret$|secrettoken$|authtoken$|apitoken$|^keys$"
)
_REFERENCE = re.compile(r"ref\+[a-z0-9]+://\S+|ENC\[AES256_GCM,.*\]|<path:[^>#]+#[^>]+>")
_LOOKS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"\b(glpat|ghp|gho|github_pat|xox[bap]|hvs)[-_.][A-Za-z0-9_-]{16,}"),
    re.compile(r"\b[0-9a-f]{32,}\b"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+@"),
)
_NOT_SECRET_PARENTS = {"secretKeyRef", "secret", "secretStoreRef", "accessKeyRef"}


def is_reference(value: object) -> bool:
    """Say whether a value only says where the secret is: SOPS, vals (Vault, …) or Argo CD's Vault plugin."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value.strip()) is not None


def in_clear(values: Values) -> Iterator[Problem]:
    """Yield each secret that stands in the values as it is. The finding never shows it."""
    rule = Text("a secret stands here in clear")
    hint = Text("Write ref+vault://… (vals), encrypt the file with SOPS, or name a Secret (secretKeyRef).")
    found = set()
    for key, value in values.walk():
        if not isinstance(value, str) or is_reference(value) or key in found or not value:
            continue
        if _named(key) or _looks_like_one(value):
            found.add(key)
            yield values.problem(key, rule, hint)


def _named(key: tuple[Any, ...]) -> bool:
    names = [part for part in key if isinstance(part, str)]
    if not names or (len(names) > 1 and names[-2] in _NOT_SECRET_PARENTS):
        return False
    if names[-1] in {"env", "file"} or (names[-1] == "password" and names[-2:-1] == ["database"]):
        return False  # jupytercloud.yaml's own way to say where a secret is
    if names[-1] == "value" and isinstance(key[-2], int):
        return False  # looked at with its name by `env_in_clear`
    return bool(_NAMES.search(names[-1]))


def env_in_clear(values: Values) -> Iterator[Problem]:
    """Yield environment variables in lists (``{name, value}``) whose name says that they are secrets."""
    for key, value in values.walk():
        if not isinstance(value, dict) or not isinstance(value.get("name"), str) or "value" not in value:
            continue
        if _NAMES.search(value["name"]) and not is_reference(value["value"]):
            rule = Text("a secret stands here in clear")
            yield values.problem((*key, "value"), rule, Text("Use valueFrom: {{secretKeyRef: {{name: …, key: …}}}}."))


def _looks_like_one(value: str) -> bool:
    return any(pattern.search(value) for pattern in _LOOKS)

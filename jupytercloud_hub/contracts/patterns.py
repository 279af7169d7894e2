"""Patterns in rules: an exact name, a glob (``*.cnrs.fr``) or a regular expression between slashes (``/univ-.*/``)."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

from .text import Text


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression to use with ``fullmatch``; organizations and groups are compared without case.

    Raises ValueError for a regular expression that Python can't read.
    """
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            return re.compile(pattern[1:-1], re.IGNORECASE)
        except re.error as error:
            raise ValueError(Text("not a regular expression: {error}", error=str(error))) from None
    if any(character in pattern for character in "*?["):
        return re.compile(translate(pattern), re.IGNORECASE)
    return re.compile(re.escape(pattern), re.IGNORECASE)


def matches(pattern: str, value: str) -> bool:
    """Return whether the whole value is what the pattern says."""
    return compile_pattern(pattern).fullmatch(value) is not None

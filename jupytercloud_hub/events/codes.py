"""Codes that visitors type: short, without look-alikes, with a check character, kept as keyed hashes only. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256

ALPHABET = "3479ACDEFGHJKMNPQRTVWXY"
"""No 0/O, 1/I/L, 2/Z, 5/S, 6/G, 8/B, U/V. Their number is a prime, which the check character needs."""
RANDOM = 8
"""Random characters of a code: 23^8 = 78 thousand million codes."""
LENGTH = RANDOM + 1
GROUP = 3
_BASE = len(ALPHABET)
_VALUE = {char: value for value, char in enumerate(ALPHABET)}
_IGNORED = dict.fromkeys(map(ord, " -–—_.·\t\r\n\u00a0\u202f"))
LONGEST_TYPED = 64
"""Characters of an entry that are looked at; nobody types more by mistake."""

Draw = Callable[[Sequence[str]], str]
"""Takes one element of a sequence by chance, such as ``secrets.choice``."""

Kind = str
VISITOR, OPEN, ORGANIZER, HELPER = "visitor", "open", "organizer", "helper"
HASHED, PLAIN = "codes.hashed", "codes.csv"
"""Files of an event's directory."""


def check_character(random_part: str) -> str:
    """Return the last character of a code.

    Promises: every single wrong character and every two exchanged characters are noticed, for the weights
    2, 3, … are all different and the number of characters is a prime.
    """
    total = sum((place + 2) * _VALUE[char] for place, char in enumerate(random_part))
    return ALPHABET[-total % _BASE]


def new_code(draw: Draw) -> str:
    """Return a code without hyphens."""
    random_part = "".join(draw(ALPHABET) for _ in range(RANDOM))
    return random_part + check_character(random_part)


def new_codes(number: int, draw: Draw) -> list[str]:
    """Return so many different codes."""
    found: dict[str, None] = {}
    while len(found) < number:
        found[new_code(draw)] = None
    return list(found)


def shown(code: str) -> str:
    """Return a code as people read it: ``ACD-EFG-HJK``."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def read(typed: str) -> str | None:
    """Return the code that somebody typed, in whatever case and groups; None where it can't be one."""
    if len(typed) > LONGEST_TYPED:
        return None
    code = typed.upper().translate(_IGNORED)
    if len(code) != LENGTH or any(char not in _VALUE for char in code):
        return None
    return code if check_character(code[:-1]) == code[-1] else None


def digest(code: str, key: bytes) -> str:
    """Return what is kept of a code: without the key nobody can try codes against it."""
    return hmac.new(key, b"jupytercloud event code\0" + code.encode(), sha256).hexdigest()


def digest_of_login(issuer: str, sub: str, key: bytes) -> str:
    """Return what is kept of a federated login, in the place of a code: no code has this hash."""
    return hmac.new(key, f"jupytercloud event login\0{issuer}\0{sub}".encode(), sha256).hexdigest()

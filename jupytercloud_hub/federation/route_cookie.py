"""A short signed cookie that says where a person's home is, so that most links need neither database nor hub.

It holds the site and a time, nothing of the person, and is bound to her login: with another session, or after
a logout, it is worth nothing. Within ``hot_path`` it routes by itself; later it serves only while database or
hub are away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

NAME = "jupytercloud-route"
KEPT = timedelta(hours=12)
"""How old a cookie may be that stands in for a database or hub that is away."""
_REMEMBERED = 20_000


@dataclass(frozen=True)
class Routed:
    """What a good cookie says."""

    site: str
    issued: float

    def within(self, age: timedelta, now: datetime) -> bool:
        """Whether the cookie is younger than ``age``."""
        return -60 <= now.timestamp() - self.issued < age.total_seconds()


class RouteCookies:
    """Makes and reads the cookies of one portal; replicas that share ``secret`` read each other's."""

    def __init__(self, secret: bytes, session_cookies: tuple[str, ...], fingerprint: str = "") -> None:
        self._key = hmac.digest(secret, b"jupytercloud route cookie " + fingerprint.encode(), "sha256")
        self._session_cookies = session_cookies
        self._seen: OrderedDict[str, Routed | None] = OrderedDict()

    def make(self, site: str, header: str, now: datetime) -> str:
        """Return a cookie's value for the person whose ``Cookie`` header this is."""
        payload = f"{site}.{int(now.timestamp()):x}"
        return f"{payload}.{self._mac(payload, _cookies(header))}"

    def read(self, header: str) -> Routed | None:
        """Return what the cookie in a ``Cookie`` header says, if it was made here for this very login."""
        try:
            found = self._seen[header]
        except KeyError:
            found = self._seen[header] = self._read(header)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def _read(self, header: str) -> Routed | None:
        cookies = _cookies(header)
        payload, _, mac = cookies.get(NAME, "").rpartition(".")
        if not payload or not hmac.compare_digest(mac.encode(), self._mac(payload, cookies).encode()):
            return None
        site, _, issued = payload.rpartition(".")
        return Routed(site, float(int(issued, 16)))

    def _mac(self, payload: str, cookies: dict[str, str]) -> str:
        bound = "\0".join([payload, *(cookies.get(name, "") for name in self._session_cookies)])
        digest = hmac.digest(self._key, bound.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()


def _cookies(header: str) -> dict[str, str]:
    """Return a ``Cookie`` header's pairs as they are (RFC 6265 §5.4); the first of a name counts."""
    found: dict[str, str] = {}
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value.strip('"'))
    return found

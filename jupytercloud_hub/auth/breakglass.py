"""The emergency login: one administrator, by password, only while the provider does not answer. Off by default."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections import deque
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ..contracts.text import Text
from ..storage.parts import UpgradeError
from ..web.errors import PublicError
from . import metrics
from .oidc.errors import OidcError
from .pages import HubPage

MAX_AGE = 3600.0  # seconds that an emergency session lasts
TRIES = 5
TRIES_SECONDS = 600.0
MARK = "break_glass"
MAX_REASON = 200  # characters
_COST = {"n": 2**15, "r": 8, "p": 1}
_MEMORY = 64 * 1024 * 1024


def hash_password(password: str) -> str:
    """Return what stands in the configuration for a password: ``scrypt$SALT$HASH``."""
    salt = secrets.token_bytes(16)
    return "$".join(["scrypt", *(base64.b64encode(part).decode() for part in (salt, _scrypt(password, salt)))])


def check_password(password: str, kept: str) -> bool:
    """Say whether a password is the one that was hashed; takes a tenth of a second: not for the hub's thread."""
    try:
        kind, salt, digest = kept.split("$")
        parts = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except ValueError:
        return False
    return kind == "scrypt" and hmac.compare_digest(_scrypt(password, parts[0]), parts[1])


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, maxmem=_MEMORY, **_COST)


class Tries:
    """How often a password was tried lately, by anybody."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=TRIES)

    def another(self, now: float) -> bool:
        """Take note of a try; False when there were too many within ten minutes."""
        if len(self._times) == TRIES and now - self._times[0] < TRIES_SECONDS:
            return False
        self._times.append(now)
        return True


class BreakGlassHandler(HubPage):
    """``/hub/oidc/break-glass``: where the emergency login is; a 404 where it is not set up."""

    async def get(self) -> None:
        await self._refuse_unless_needed()
        self.show("auth/break-glass.html", wrong=False, xsrf=self.xsrf_token.decode("ascii"))

    async def post(self) -> None:
        await self._refuse_unless_needed()
        authenticator = self.authenticator
        if not authenticator.break_glass_tries.another(time.monotonic()):
            await self._audit("refused: too many tries")
            raise PublicError(
                429,
                "too-many-tries",
                Text("Too many tries"),
                Text("The emergency login is closed for ten minutes."),
                retry_after=timedelta(seconds=TRIES_SECONDS),
            )
        password = self.get_body_argument("password", "", strip=False)
        if not await asyncio.to_thread(check_password, password, authenticator.break_glass_password):
            await self._audit("refused: wrong password")
            self.set_status(403)
            self.show("auth/break-glass.html", wrong=True, xsrf=self.xsrf_token.decode("ascii"))
            return
        await self._audit("accepted")
        user = await self.auth_to_user(
            {
                "name": authenticator.break_glass_user,
                "admin": True,
                "groups": None,
                "auth_state": {MARK: time.time()},
            }
        )
        self.set_login_cookie(user)
        user._auth_refreshed = time.monotonic()
        self.redirect(f"{self.hub.base_url}admin")

    async def _refuse_unless_needed(self) -> None:
        authenticator = self.authenticator
        if not (authenticator.break_glass_user and authenticator.break_glass_password):
            raise PublicError(
                404,
                "not-found",
                Text("There is no such page"),
                Text("The address may have been copied only in part."),
            )
        try:
            await authenticator.party.discovery.probe()
        except OidcError:
            return
        raise PublicError(
            403,
            "provider-answers",
            Text("The emergency login is closed"),
            Text("The login service answers: log in there."),
        )

    async def _audit(self, outcome: str) -> None:
        """Write the line that must never be missing (when, from where, with what outcome), and the table's row.

        The row has the reason that was given and a keyed hash of the address. A database that is away too does not
        close the emergency login.
        """
        metrics.LOGINS.labels("emergency", outcome.partition(":")[0]).inc()
        address = self.request.remote_ip or ""
        self.log.critical("Emergency login from %s: %s", address, outcome)
        reason = "".join(one for one in self.get_body_argument("reason", "") if one.isprintable())[:MAX_REASON]
        try:
            store = await self.authenticator.guest_store()
            await store.emergency(self.authenticator.break_glass_user, address, reason, outcome)
        except (SQLAlchemyError, UpgradeError) as error:
            self.log.critical("The emergency login could not be recorded in the database: %s", type(error).__name__)


def still_counts(auth_state: Any, now: float) -> bool | None:
    """Say whether an emergency session goes on; None for any other session."""
    begun = auth_state.get(MARK) if isinstance(auth_state, dict) else None
    return None if begun is None else now - float(begun) < MAX_AGE

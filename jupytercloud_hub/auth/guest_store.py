"""What the database knows of people whom no rule lets in: invitations, guests, leavers; and of emergency logins."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, delete, or_, select, update

from ..identity import Subject
from ..storage import Database
from .store import hash_key
from .tables import EmergencyLogin, Guest, Leaver

Open = Literal["open", "unknown", "ended", "used"]
_LEFT = select(Leaver.until).where(Leaver.username == bindparam("username"))


def digest(token: str) -> str:
    """Return what is kept of a link's secret."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class GuestStore:
    """Every method is one transaction; ``now`` gives aware times."""

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self.now = now

    async def invite(
        self, sponsor: str, ends_at: datetime, open_for: timedelta, *, note: str = "", groups: Sequence[str] = ()
    ) -> tuple[str, str]:
        """Keep an invitation; return its id, and the secret of its link, which nobody can read again."""
        token, identifier, now = secrets.token_urlsafe(32), secrets.token_hex(4), self.now()
        async with self._database.session() as session:
            session.add(
                Guest(
                    id=identifier,
                    digest=digest(token),
                    sponsor=sponsor,
                    note=note,
                    groups=list(groups),
                    made_at=now,
                    open_until=min(now + open_for, ends_at),
                    ends_at=ends_at,
                )
            )
        return identifier, token

    async def look(self, token: str) -> tuple[Open, Guest | None]:
        """Say whether a link can be used, and return its invitation; of one that is unknown there is none."""
        async with self._database.session() as session:
            found = (await session.scalars(select(Guest).where(Guest.digest == digest(token)))).one_or_none()
        return ("unknown" if found is None else self._state(found)), found

    def _state(self, invitation: Guest) -> Open:
        if invitation.accepted_at is not None:
            return "used"
        ended = invitation.revoked_at is not None or min(invitation.open_until, invitation.ends_at) <= self.now()
        return "ended" if ended else "open"

    async def accept(self, identifier: str, subject: Subject, username: str) -> Open:
        """Let an invitation stand for a subject: once, whoever else tries in the same moment; "open" is yes."""
        now = self.now()
        taken = (
            update(Guest)
            .where(Guest.id == identifier, Guest.accepted_at.is_(None), Guest.revoked_at.is_(None))
            .where(Guest.open_until > now, Guest.ends_at > now)
            .values(issuer=subject.issuer, sub=subject.sub, username=username, accepted_at=now)
        )
        async with self._database.session() as session:
            if (await session.execute(taken)).rowcount == 1:  # type: ignore[attr-defined]
                return "open"
            found = await session.get(Guest, identifier)
            return "unknown" if found is None else self._state(found)

    async def guest(self, subject: Subject) -> Guest | None:
        """Return the invitation that a subject accepted, the one that lasts longest; it may have ended."""
        query = select(Guest).where(Guest.issuer == subject.issuer, Guest.sub == subject.sub)
        async with self._database.session() as session:
            found = list(await session.scalars(query))
        return max(found, key=self.ends, default=None)

    @staticmethod
    def ends(guest: Guest) -> datetime:
        """Return when a guest's account ends, or ended."""
        return min(guest.ends_at, guest.revoked_at) if guest.revoked_at else guest.ends_at

    async def guests(self) -> list[Guest]:
        """Return all invitations and guests, the newest first."""
        async with self._database.session() as session:
            return list(await session.scalars(select(Guest).order_by(Guest.made_at.desc(), Guest.id)))

    async def revoke(self, identifier: str) -> bool:
        """End an invitation or a guest's account; False where there is none, or it had ended."""
        ended = update(Guest).where(Guest.id == identifier, Guest.revoked_at.is_(None)).values(revoked_at=self.now())
        async with self._database.session() as session:
            return bool((await session.execute(ended)).rowcount)  # type: ignore[attr-defined]

    async def just_ended(self) -> list[str]:
        """Return the usernames of guests whose account has ended and whose access was not taken away yet."""
        now = self.now()
        over = or_(Guest.ends_at <= now, Guest.revoked_at.is_not(None))
        query = select(Guest).where(Guest.username.is_not(None), Guest.ended_at.is_(None), over)
        async with self._database.session() as session:
            ended = list(await session.scalars(query))
            still = select(Guest.username).where(Guest.revoked_at.is_(None), Guest.ends_at > now)
            going_on = set(await session.scalars(still))
            for guest in ended:
                guest.ended_at = now
        return sorted({str(guest.username) for guest in ended} - going_on)

    async def left(self, username: str, period: timedelta) -> tuple[datetime, bool]:
        """Take note that a person's affiliation went; return until when she may fetch files, and if it is news."""
        now = self.now()
        async with self._database.session() as session:
            known = await session.get(Leaver, username)
            if known is not None:
                return known.until, False
            session.add(Leaver(username=username, left_at=now, until=now + period))
            return now + period, True

    async def is_back(self, username: str) -> None:
        """Forget that a person had left; nothing is written where she had not."""
        if await self._database.first(_LEFT, {"username": username}) is None:
            return
        async with self._database.session() as session:
            await session.execute(delete(Leaver).where(Leaver.username == username))

    async def emergency(self, username: str, address: str, reason: str, outcome: str) -> None:
        """Record a try of the emergency login."""
        async with self._database.session() as session:
            key = await hash_key(session)
            hashed = hmac.new(key.encode(), address.encode(), hashlib.sha256).hexdigest()
            session.add(
                EmergencyLogin(at=self.now(), username=username, address=hashed, reason=reason, outcome=outcome)
            )

    async def emergencies(self) -> list[EmergencyLogin]:
        """Return all tries of the emergency login, the newest first."""
        async with self._database.session() as session:
            query = select(EmergencyLogin).order_by(EmergencyLogin.at.desc(), EmergencyLogin.id.desc())
            return list(await session.scalars(query))

    async def forget_old(self, before: datetime) -> None:
        """Drop invitations and guests that ended, leavers whose time ended and emergency logins before a time."""
        async with self._database.session() as session:
            unused = Guest.accepted_at.is_(None) & (Guest.open_until < before)
            await session.execute(delete(Guest).where(or_(unused, Guest.ends_at < before, Guest.revoked_at < before)))
            await session.execute(delete(Leaver).where(Leaver.until < before))
            await session.execute(delete(EmergencyLogin).where(EmergencyLogin.at < before))

"""What the authenticator remembers in its database: whose username is whose, sessions, used logout tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from ..contracts.text import Text
from ..identity import Identity, Refused, Subject
from ..storage import Database
from .tables import Binding, Claimable, EmergencyLogin, Guest, Leaver, ProviderSession, Retired, RetiredKey, UsedToken

PERSONAL: tuple[Any, ...] = (Binding, Claimable, ProviderSession, Guest, Leaver, EmergencyLogin)
"""Tables with rows about somebody."""
SEEN_PRECISION = timedelta(hours=1)
_SESSION_OF = (
    select(ProviderSession.username)
    .where(ProviderSession.issuer == bindparam("issuer"), ProviderSession.sid == bindparam("sid"))
    .scalar_subquery()
)
_KNOWN = select(Binding.username, Binding.organization, Binding.seen_at, _SESSION_OF.label("session_of")).where(
    Binding.issuer == bindparam("issuer"), Binding.sub == bindparam("sub")
)
ClaimKind = Literal["eppn", "unique_id", "voperson_id", "subject", "username"]


def taken() -> Refused:
    """Return the refusal for a username that belongs to somebody else."""
    return Refused(
        "username-taken",
        Text("The account name that your organization's data leads to belongs to somebody else here."),
        Text("Nobody sees your files, nor you another's. Please forward this page to the people who run this hub."),
    )


class Store:
    """The authenticator's tables. Every method is one transaction; ``now`` gives aware times."""

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database = self._database = database
        self._now = now

    async def bind(
        self,
        identity: Identity,
        identifiers: Sequence[tuple[ClaimKind, str]],
        *,
        hub_knows: Callable[[str], bool],
        sid: str | None = None,
    ) -> str:
        """Return the username of a person who logs in; it is hers alone from now on.

        ``identifiers`` are what an imported account may be claimed with. ``hub_knows(name)`` says whether the
        hub has an account of that name that was used already: without a binding it is nobody's for the taking.
        ``sid`` is her session at the provider. Raises `Refused` (username-taken).
        """
        if (username := await self._unchanged(identity, sid)) is not None:
            return username
        for _ in range(2):
            try:
                async with self._database.session() as session:
                    connection = await session.connection()
                    username, session_of = await self._known(connection, identity, sid)
                    if username is None:
                        username = await self._first(session, identity, identifiers, hub_knows)
                    if sid is not None and session_of != username:
                        await self._begin_session(connection, identity.subject.issuer, sid, username)
                    return username
            except IntegrityError:  # she, or somebody else, was bound in the same moment: look again
                continue
        raise taken()

    async def _unchanged(self, identity: Identity, sid: str | None) -> str | None:
        """Return the username that is hers already where nothing has to be written: most logins, in one read."""
        subject = identity.subject
        found = await self._database.first(_KNOWN, {"issuer": subject.issuer, "sub": subject.sub, "sid": sid})
        if found is None:
            return None
        username, organization, seen_at, session_of = found
        recent = self._now() - seen_at <= SEEN_PRECISION
        same = organization == identity.home_organization and (sid is None or session_of == username)
        return str(username) if recent and same else None

    async def _known(
        self, connection: AsyncConnection, identity: Identity, sid: str | None
    ) -> tuple[str | None, str | None]:
        """Return the username that is hers already, and whose the session was: one statement for every login."""
        subject, now = identity.subject, self._now()
        values = {"issuer": subject.issuer, "sub": subject.sub, "sid": sid}
        found = (await connection.execute(_KNOWN, values)).first()
        if found is None:
            return None, None
        if found.organization != identity.home_organization or now - found.seen_at > SEEN_PRECISION:
            seen = {"seen_at": now, "organization": identity.home_organization}
            await connection.execute(update(Binding).where(Binding.username == found.username).values(seen))
        return str(found.username), found.session_of

    async def _first(
        self,
        session: AsyncSession,
        identity: Identity,
        identifiers: Sequence[tuple[ClaimKind, str]],
        hub_knows: Callable[[str], bool],
    ) -> str:
        now, subject = self._now(), identity.subject
        claim = await _claimed(session, identifiers)
        username = claim.username if claim else identity.username
        bound = await session.get(Binding, username)
        if bound is not None and (bound.issuer, bound.sub) == (subject.issuer, subject.sub):
            return username  # another of her tabs was quicker (PostgreSQL shows what was committed meanwhile)
        if bound is not None or await _is_retired(session, username):
            raise taken()
        kept = await session.get(Claimable, username)
        if claim is None and (kept is not None or hub_knows(username)):
            raise taken()
        if kept is not None:
            await session.delete(kept)
        session.add(
            Binding(
                username=username,
                issuer=subject.issuer,
                sub=subject.sub,
                organization=identity.home_organization,
                bound_at=now,
                seen_at=now,
            )
        )
        await session.flush()
        return username

    async def _begin_session(self, connection: AsyncConnection, issuer: str, sid: str, username: str) -> None:
        """Remember a session at the provider; a sid that is known stays whose it was, unless she changed accounts."""
        values = {"issuer": issuer, "sid": sid, "username": username, "begun_at": self._now()}
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        statement = insert(ProviderSession).values(values)
        changed = {"username": username, "begun_at": values["begun_at"]}
        await connection.execute(statement.on_conflict_do_update(index_elements=["issuer", "sid"], set_=changed))

    async def username(self, subject: Subject) -> str | None:
        """Return the username that is bound to a subject."""
        async with self._database.session() as session:
            bound = await _of_subject(session, subject)
            return bound.username if bound else None

    async def bindings(self, username: str | None = None) -> list[Binding]:
        """Return all bindings, or one username's."""
        query = select(Binding).order_by(Binding.username)
        if username is not None:
            query = query.where(Binding.username == username)
        async with self._database.session() as session:
            return list(await session.scalars(query))

    async def claimables(self) -> list[Claimable]:
        """Return the accounts that wait for their owner."""
        async with self._database.session() as session:
            return list(await session.scalars(select(Claimable).order_by(Claimable.username)))

    async def rebind(self, username: str, subject: Subject | None) -> bool:
        """Give a username to another subject, or (None) to whoever logs in next and is led to it.

        Says False where the username is not bound, and nothing was done.
        """
        now = self._now()
        async with self._database.session() as session:
            bound = await session.get(Binding, username)
            if bound is None:
                return False
            if subject is None:
                await session.delete(bound)
                session.add(Claimable(username=username, kind="username", value=username, made_at=now))
                return True
            other = await _of_subject(session, subject)
            if other is not None and other is not bound:
                await session.delete(other)
                await session.flush()
            bound.issuer, bound.sub, bound.bound_at = subject.issuer, subject.sub, now
            return True

    async def keep(self, username: str, kind: ClaimKind, value: str) -> None:
        """Keep an account of before for whoever logs in with an identifier; a second call replaces the first."""
        async with self._database.session() as session:
            await session.merge(Claimable(username=username, kind=kind, value=value, made_at=self._now()))

    async def end_session(self, issuer: str, sub: str | None, sid: str | None, jti: str, ends_at: datetime) -> set[str]:
        """Take a logout token: return whose sessions it ends. Raises KeyError for one that was taken before."""
        async with self._database.session() as session:
            if await session.get(UsedToken, (issuer, jti)) is not None:
                raise KeyError(jti)
            session.add(UsedToken(issuer=issuer, jti=jti, ends_at=ends_at))
            named: set[str] = set()
            if sub is not None:
                bound = await _of_subject(session, Subject(issuer=issuer, sub=sub))
                named |= {bound.username} if bound else set()
            if sid is not None:
                row = await session.get(ProviderSession, (issuer, sid))
                if row is not None:
                    if sub is None:
                        named.add(row.username)
                    await session.delete(row)
            return named

    async def forget_old(self, sessions_before: datetime) -> None:
        """Drop what is no longer needed: logout tokens that ended, sessions older than the retention."""
        async with self._database.session() as session:
            await session.execute(delete(UsedToken).where(UsedToken.ends_at < self._now() - timedelta(minutes=10)))
            await session.execute(delete(ProviderSession).where(ProviderSession.begun_at < sessions_before))


async def _of_subject(session: AsyncSession, subject: Subject) -> Binding | None:
    query = select(Binding).where(Binding.issuer == subject.issuer, Binding.sub == subject.sub)
    return (await session.scalars(query)).one_or_none()


async def _claimed(session: AsyncSession, identifiers: Sequence[tuple[ClaimKind, str]]) -> Claimable | None:
    """Return the account of before that one of the identifiers opens; the first identifier in order wins."""
    wanted = tuple_(Claimable.kind, Claimable.value).in_(identifiers)
    found = (await session.scalars(select(Claimable).where(wanted))).all()
    return min(found, key=lambda one: identifiers.index((one.kind, one.value)), default=None)


async def _is_retired(session: AsyncSession, username: str) -> bool:
    key = await session.get(RetiredKey, 1)
    return key is not None and await session.get(Retired, _digest(key.key, username)) is not None


def _digest(key: str, username: str) -> str:
    return hmac.new(key.encode(), username.encode(), hashlib.sha256).hexdigest()


async def export(session: AsyncSession, username: str) -> dict[str, Any]:
    """Return every row about a person, for her right of access."""
    found: dict[str, Any] = {}
    for table in PERSONAL:
        about = table.username == username
        if table is Guest:
            about = about | (Guest.sponsor == username)
        rows = await session.scalars(select(table).where(about))
        columns = [column.key for column in table.__table__.columns if column.key != "digest"]
        found[table.__tablename__] = [{name: getattr(row, name) for name in columns} for row in rows]
    return found


async def erase(session: AsyncSession, username: str, pseudonym: str) -> None:
    """Forget a person; a keyed hash stays, so that nobody gets her username. May be run twice.

    Guests whom she invited stay, with her pseudonym as their sponsor; so do tries of the emergency login.
    """
    for table in (Binding, Claimable, ProviderSession, Guest, Leaver):
        await session.execute(delete(table).where(table.username == username))
    await session.execute(update(Guest).where(Guest.sponsor == username).values(sponsor=pseudonym))
    renamed = update(EmergencyLogin).where(EmergencyLogin.username == username).values(username=pseudonym)
    await session.execute(renamed)
    retired = Retired(digest=_digest(await hash_key(session), username), retired_at=datetime.now(UTC))
    await session.merge(retired)


async def hash_key(session: AsyncSession) -> str:
    """Return the key of the hashes of what is not to be read; made when first needed."""
    key = await session.get(RetiredKey, 1)
    if key is None:
        key = RetiredKey(id=1, key=secrets.token_hex(32))
        session.add(key)
    return key.key

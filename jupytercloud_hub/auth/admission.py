"""Who a verified person is here: by the rules, else by an invitation, else as somebody who left, for her files."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from babel.dates import format_date

from ..contracts.text import LANGUAGES, Localized, Text
from ..identity import Identity, Refused, Subject, guests
from ..identity.refusal import Reason
from . import metrics
from .oidc.party import Verified
from .tables import Guest

if TYPE_CHECKING:
    from .renater import RenaterAuthenticator


class Admission:
    """The order in which people may come in. Everything but the rules is off by default."""

    def __init__(self, authenticator: RenaterAuthenticator) -> None:
        self._authenticator = authenticator

    async def identity(self, verified: Verified, language: str | None, invitation: str = "") -> Identity:
        """Return who a person is; ``invitation`` is the one whose link she came by. Raises `Refused`."""
        authenticator = self._authenticator
        try:
            identity = authenticator.identity_of(verified, language)
        except Refused as refused:
            return await self._otherwise(refused, verified, language, invitation)
        if authenticator.leavers_export > 0:
            username = await (await authenticator.bindings()).username(identity.subject)
            if username is not None:
                await (await authenticator.guest_store()).is_back(username)
        return identity

    async def invited(self, token: str) -> Guest:
        """Return the invitation of a link that can be used. Raises `Refused`."""
        state, found = await (await self._authenticator.guest_store()).look(token)
        if state != "open" or found is None:
            metrics.INVITATIONS.labels(state).inc()
            raise invitation_refused(state)
        return found

    async def _otherwise(self, refused: Refused, verified: Verified, language: str | None, invitation: str) -> Identity:
        authenticator = self._authenticator
        subject = Subject(issuer=authenticator.issuer, sub=verified.sub)
        raw, policy = verified.claims, authenticator.policy
        if authenticator.guests and guests.accepts(refused, raw, policy, tuple(authenticator.guest_idps)):
            ends_at, groups = await self._guest(refused, subject, invitation)
            if ends_at is not None:
                acr = _acr(verified)
                return guests.guest(
                    raw, authenticator.issuer, policy, groups=groups, ends_at=ends_at, acr=acr, language=language
                )
        if authenticator.leavers_export > 0 and guests.has_left(refused, policy, raw):
            return await self._leaver(refused, subject, verified, language)
        raise refused

    async def _guest(
        self, refused: Refused, subject: Subject, invitation: str
    ) -> tuple[datetime | None, tuple[str, ...]]:
        """Return until when somebody is a guest, and her groups; None for who never was. Raises `Refused`."""
        authenticator = self._authenticator
        store = await authenticator.guest_store()
        if invitation:
            username = guests.username_of(subject)
            answer = await store.accept(invitation, subject, username)
            metrics.INVITATIONS.labels("accepted" if answer == "open" else answer).inc()
            if answer != "open" and await store.guest(subject) is None:
                raise invitation_refused(answer)
            if answer == "open":
                authenticator.log.info("Invitation %s was accepted", invitation)
        guest = await store.guest(subject)
        if guest is None:
            return None, ()
        ends_at = store.ends(guest)
        if ends_at <= store.now():
            raise Refused(
                "account-ended",
                Text("Your guest account ended on {day}.", day=self.day(ends_at)),
                Text("Ask whoever invited you for a new invitation if you still need it."),
            )
        own = [authenticator.guest_group] if authenticator.guest_group else []
        return ends_at, (*own, *guest.groups)

    async def _leaver(self, refused: Refused, subject: Subject, verified: Verified, language: str | None) -> Identity:
        """Return the identity of a person who left, while she may fetch her files; who never came in has none here."""
        authenticator = self._authenticator
        username = await (await authenticator.bindings()).username(subject)
        if username is None:
            raise refused
        store = await authenticator.guest_store()
        until, news = await store.left(username, timedelta(seconds=authenticator.leavers_export))
        if news:
            authenticator.log.info("Somebody's affiliation went; she may log in for her files until %s", until.date())
        if until <= store.now():
            raise refused
        return guests.leaver(
            verified.claims,
            authenticator.issuer,
            authenticator.policy,
            ends_at=until,
            acr=_acr(verified),
            language=language,
        )

    def day(self, when: datetime) -> Localized:
        """Return a day as people read it, in the hub's time zone."""
        there = when.astimezone(self._authenticator.site.zone).date()
        return Localized({language: format_date(there, "d MMMM y", locale=language) for language in LANGUAGES})


def invitation_refused(state: str) -> Refused:
    """Return the refusal for a link that cannot be used: unknown, ended or used."""
    ask = Text("Ask whoever invited you for a new link.")
    if state == "used":
        return Refused(
            "invitation-used",
            Text("This invitation was used already: it is good for one person, once."),
            Text("If it was you, log in as you did then. Otherwise, ask whoever invited you for a new link."),
        )
    reason: Reason = "invitation-ended" if state == "ended" else "invitation-unknown"
    words = {
        "invitation-ended": Text("This invitation has ended, or was withdrawn."),
        "invitation-unknown": Text("This invitation is not known here. The link may have been copied only in part."),
    }
    return Refused(reason, words[reason], ask)


def _acr(verified: Verified) -> str | None:
    acr = verified.id_claims.get("acr")
    return acr if isinstance(acr, str) else None

"""People's rights, asked for anew: at refreshes, and in the background for owners of running servers.

Refreshes happen on requests only. Who has a running server and never comes back would keep what she lost; so
a bounded pass goes over the owners of running servers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from jupyterhub.utils import maybe_future

from ..contracts.text import Text
from ..identity import Refused, Subject
from ..identity.refusal import Reason
from . import metrics
from .breakglass import still_counts
from .oidc.errors import GrantRefused, ProviderMisconfigured, ProviderUnavailable, TokenRefused
from .oidc.party import Tokens, Verified
from .sessions import end_sessions, stop_servers

if TYPE_CHECKING:
    from .renater import RenaterAuthenticator

REFRESH_LEEWAY = 60.0  # seconds before its end at which an access token is renewed
TIDY_SECONDS = 86_400.0
AT_ONCE = 5  # people whose rights are asked for at the same time in the background

Answer = bool | dict[str, Any]


class Reauthoriser:
    """Asks for rights anew, one time at once for each person.

    A refresh token that is used twice is taken for stolen by the provider, so whoever asks while a refresh is
    under way gets its answer, and a new refresh token is stored before anybody else can ask.
    """

    def __init__(self, authenticator: RenaterAuthenticator) -> None:
        self._authenticator = authenticator
        self._log = authenticator.log
        self._running: dict[str, asyncio.Task[Answer]] = {}

    async def refresh(self, user: Any) -> Answer:
        """Return a new auth model, True for "as before", False for "has to log in again"."""
        task = self._running.get(user.name)
        if task is None:
            task = self._running[user.name] = asyncio.ensure_future(self._refresh(user))
            task.add_done_callback(lambda done: self._running.pop(user.name, None))
        return await asyncio.shield(task)

    async def _refresh(self, user: Any) -> Answer:
        auth_state = await user.get_auth_state()
        emergency = still_counts(auth_state, time.time())
        if emergency is not None:
            return self._counted("emergency", emergency)
        if not auth_state or "id_claims" not in auth_state:
            return self._counted("login-needed", False)
        try:
            verified = await self._reverified(auth_state)
            if verified is None:
                return self._counted("login-needed", self._within_grace(auth_state))
            auth_model = await self._authorised(user, verified, auth_state)
        except Refused as refused:
            self._log.warning("Rights were lost: %s", refused)
            await self.revoke(user)
            return self._counted("refused", False)
        except (ProviderUnavailable, ProviderMisconfigured) as error:
            self._log.warning("Rights can't be asked for: %s", error)
            return self._counted("unreachable", self._within_grace(auth_state))
        except GrantRefused as error:
            self._log.info("A refresh token is no longer good: %s", error)
            return self._counted("login-needed", False)
        except TokenRefused as error:
            self._log.warning("The provider's answer was not accepted: %s", error)
            return self._counted("refused", False)
        await user.save_auth_state(auth_model["auth_state"])
        if self._authenticator.needs_stronger(auth_model):
            return self._counted("login-needed", False)
        return self._counted("confirmed", auth_model)

    async def _authorised(self, user: Any, verified: Verified, auth_state: Mapping[str, Any]) -> dict[str, Any]:
        """Return the auth model of a person who may still come in. Raises `Refused`."""
        authenticator = self._authenticator
        before = auth_state["identity"]
        identity = await authenticator.admission.identity(verified, before.get("language"))
        if identity.kind == "leaver" and before.get("kind") != "leaver":
            raise _changed("affiliation-not-accepted")  # all that she has open ends; her next login is for her files
        subject = Subject(issuer=authenticator.issuer, sub=verified.sub)
        if await (await authenticator.bindings()).username(subject) != user.name:
            raise _changed("name-changed")
        bound = identity.model_copy(update={"username": user.name})
        auth_model = await authenticator.auth_model_of(verified, bound, auth_state.get("logged_in_at"))
        allowed = authenticator.allow_all or await authenticator.check_allowed(user.name, auth_model)
        if not allowed or not authenticator.check_blocked_users(user.name, auth_model):
            raise _changed("not-allowed")
        return auth_model

    async def _reverified(self, auth_state: Mapping[str, Any]) -> Verified | None:
        """Return the person as the provider describes her now; None where it can't be asked without her."""
        tokens = Tokens(
            access_token=auth_state["access_token"],
            refresh_token=auth_state.get("refresh_token"),
            id_token=auth_state.get("id_token"),
            scope=tuple(auth_state.get("scope") or ()),
            expires_at=auth_state.get("expires_at"),
        )
        party, id_claims = self._authenticator.party, auth_state["id_claims"]
        ended = tokens.expires_at is not None and tokens.expires_at - REFRESH_LEEWAY <= time.time()
        if not (ended and tokens.refresh_token):
            verified: Verified | None = await party.recheck(tokens, id_claims)
            if verified is not None:
                return verified
        if not tokens.refresh_token:
            return None
        renewed: Verified = await party.refresh(tokens.refresh_token, sub=str(id_claims["sub"]), id_claims=id_claims)
        return renewed

    def _within_grace(self, auth_state: Mapping[str, Any]) -> bool:
        age = time.time() - float(auth_state.get("verified_at") or 0)
        return bool(age < self._authenticator.unverified_grace)

    @staticmethod
    def _counted(outcome: str, answer: Answer) -> Answer:
        metrics.REFRESHES.labels(outcome).inc()
        return answer

    async def revoke(self, user: Any) -> None:
        """Take away what a person who lost her rights has open: sessions, all tokens, servers if set so."""
        app = self._authenticator.hub_app
        if app is None:
            return
        end_sessions(app.db, user, keep_servers=False)
        if self._authenticator.stop_servers_on_loss:
            await stop_servers(app, user)

    async def run(self) -> None:
        """Go over the owners of running servers, again and again, until cancelled; forget what is old once a day."""
        tidied = -TIDY_SECONDS
        while True:
            await asyncio.sleep(self._authenticator.recheck_interval)
            try:
                await self.once()
                await self.end_guests()
                if time.monotonic() - tidied >= TIDY_SECONDS:
                    tidied = time.monotonic()
                    await self._forget_old()
            except Exception:  # the next round must come whatever this one met
                self._log.exception("The background re-authorisation failed")

    async def _forget_old(self) -> None:
        retention, now = self._authenticator.privacy_settings.retention, datetime.now(UTC)
        await (await self._authenticator.bindings()).forget_old(now - retention.sessions)
        await (await self._authenticator.guest_store()).forget_old(now - retention.routing)

    async def end_guests(self) -> int:
        """Take away what guests have open whose account has just ended, servers or not; return how many there were."""
        authenticator = self._authenticator
        if not authenticator.guests or authenticator.hub_app is None:
            return 0
        ended = 0
        for username in await (await authenticator.guest_store()).just_ended():
            known = orm.User.find(authenticator.hub_app.db, username)
            if known is not None:
                await self.revoke(authenticator.hub_app.users[known.id])
                ended += 1
        if ended:
            self._log.info("The accounts of %s guests have ended", ended)
        return ended

    async def once(self) -> int:
        """Ask for the rights of every owner of a running server that nobody asked for lately; return how many."""
        due = [user for user in self._authenticator.hub_app.users.values() if user.active and self._is_due(user)]
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(user: Any) -> None:
            async with gate:
                await self._apply(user, await self.refresh(user))

        results = await asyncio.gather(*(ask(user) for user in due), return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                self._log.error("A re-authorisation failed: %s", type(result).__name__)
        return len(due)

    def _is_due(self, user: Any) -> bool:
        return (
            not user._auth_refreshed or time.monotonic() - user._auth_refreshed >= self._authenticator.recheck_interval
        )

    async def _apply(self, user: Any, answer: Answer) -> None:
        """Store an answer as JupyterHub does after a refresh on a request (BaseHandler.auth_to_user)."""
        if not answer:
            return
        user._auth_refreshed = time.monotonic()
        if isinstance(answer, bool):
            return
        authenticator = self._authenticator
        if answer.get("admin") is not None:
            user.admin = answer["admin"]
        user.user_info = answer["user_info"]
        if authenticator.manage_groups:
            user.sync_groups(answer["groups"])
        if authenticator.manage_roles and answer.get("roles") is not None:
            user.sync_roles(answer["roles"])
        auth_state = answer["auth_state"]
        if authenticator.reconcile_auth_state_hook:
            before = await user.get_auth_state()
            auth_state = await maybe_future(authenticator.reconcile_auth_state_hook(authenticator, answer, before))
        await user.save_auth_state(auth_state)


def _changed(reason: Reason) -> Refused:
    return Refused(reason, Text("You cannot come in"), Text("Log in again."))

"""Lets a spawner hold a place at the quota service from before the start until after the end."""

from __future__ import annotations

from typing import Any

from jupyterhub.utils import maybe_future
from traitlets import Enum, Unicode

from ..contracts.admission import AdmissionAnswer, Confirm, Release, Reserve, StartKey
from ..contracts.budget_left import BudgetsLeft
from ..contracts.text import Text
from .admission import Admission, NoAnswerError
from .choice import ChoiceMixin
from .form import NOTHING_COUNTED
from .refusal import StartRefused


class AdmissionMixin(ChoiceMixin):
    """Reserve before the start, confirm once the server answers, release at the end."""

    quota_url = Unicode(
        "",
        help="""
        Address of the quota service, with its prefix.

        Empty: nobody is asked. Example: ``http://127.0.0.1:8005/services/quotas/``.
        """,
    ).tag(config=True)

    quota_token = Unicode(
        "",
        help="""
        The hub's own token for the quota service.

        Its scope is ``custom:jupytercloud:admission``, and nobody else holds it.
        """,
    ).tag(config=True)

    when_unavailable = Enum(
        ["allow", "refuse"],
        default_value="allow",
        help="""
        Whether servers start while the quota service does not answer (within 500 ms).

        With ``allow`` the service finds them afterwards and counts them; with ``refuse`` people are told to
        try again later.
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        self._start_key: StartKey | None = None
        self._ran = False
        super().__init__(**kwargs)

    async def run_pre_spawn_hook(self) -> None:
        """Run the administrator's own hook, then hold a place for the server.

        Refuses where no profile was resolved: ``apply_user_options`` is a setting that somebody may have
        replaced, and nothing may start that was not judged.
        """
        if self._resolved is None:
            raise StartRefused(
                self.words(Text("This start was not judged by the catalogue, so it does not happen.")),
                reason="profile",
                status_code=403,
                log_message="apply_user_options was replaced without calling resolve_options",
            )
        await maybe_future(super().run_pre_spawn_hook())
        await self._reserve()

    async def run_post_stop_hook(self) -> None:
        """Give the place back, then run the administrator's own hook; also after a start that failed."""
        key, self._start_key = self._start_key, None
        ran, self._ran = self._ran, False
        if key is not None and self.quota_url:
            try:
                await self._admission.send(Release(key=key, ran=ran))
            except NoAnswerError as error:
                self.log.warning("Quota service, %s (it finds the end of %s by itself)", error, self._log_name)
        await maybe_future(super().run_post_stop_hook())

    async def start(self) -> Any:
        """Start the server, then tell the quota service that it runs."""
        where = await super().start()
        await self.until_it_answers(where)
        await self._confirm()
        return where

    async def until_it_answers(self, where: Any) -> None:
        """Wait for a server that was started, where the backend sees sooner than JupyterHub why it fails."""

    async def budgets_left(self) -> BudgetsLeft:
        """Ask the quota service where her budgets stand; a form without it is better than one that waits."""
        if not self.quota_url:
            return NOTHING_COUNTED
        try:
            return await self._admission.budgets(self.person, self.language)
        except NoAnswerError as error:
            self.log.warning("Quota service, %s: the form of %s goes without it", error, self.user.name)
            return NOTHING_COUNTED

    def say(self, text: Text | str, percent: int) -> None:
        """Tell the person who waits what is being done; shown by who adds a progress log."""

    @property
    def _admission(self) -> Admission:
        return Admission(self.quota_url, self.quota_token)

    async def _reserve(self) -> None:
        self._start_key, self._ran = None, False
        if not self.quota_url or self._record is None:
            return
        key = self._key()
        if key is None:
            return
        self._start_key = key  # also where no answer comes: whatever was held is given back at the end
        message = Reserve(key=key, person=self.person, record=self._record, language=self.language)
        try:
            answer = await self._admission.send(message)
        except NoAnswerError as error:
            self._without_answer(error)
            return
        if answer.verdict == "refused":
            self._start_key = None
            raise self._over_budget(answer)
        if answer.message:
            self.say(answer.message, 5)

    def _without_answer(self, error: NoAnswerError) -> None:
        self.log.warning("Quota service, %s: starts are set to %s", error, self.when_unavailable)
        if self.when_unavailable == "refuse":
            raise StartRefused(
                self.words(Text("What you may still use is not known at the moment. Please try again in a minute.")),
                reason="quota-unavailable",
                status_code=503,
                log_message=str(error),
            )

    def _over_budget(self, answer: AdmissionAnswer) -> StartRefused:
        said = answer.message or self.words(Text("Your budget does not allow this start."))
        rule = answer.refusal.rule if answer.refusal else "no rule named"
        return StartRefused(said, reason="quota", status_code=403, log_message=f"refused by the quota service: {rule}")

    async def _confirm(self) -> None:
        self._ran = True
        if self._start_key is None or not self.quota_url:
            return
        try:
            await self._admission.send(Confirm(key=self._start_key))
        except NoAnswerError as error:
            self.log.warning("Quota service, %s (it finds %s running by itself)", error, self._log_name)

    def _key(self) -> StartKey | None:
        started = getattr(self.orm_spawner, "started", None)
        if started is None:
            return None
        return StartKey.of(self.site or "hub", self.user.name, self.name, started)

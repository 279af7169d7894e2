"""What all profile spawners share: catalogue, form, authorisation, admission, state, names, progress.

JupyterHub's order at each start, on which this rests: ``clear_state`` → authenticator → group overrides →
``apply_user_options`` (here the choice is judged) → ``pre_spawn_hook`` (here the place is held) → ``start`` →
``get_state``; and at each end, also of a start that failed: ``poll``/``stop`` → ``post_stop_hook`` (here the
place is given back) → ``clear_state``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from jupyterhub.slugs import safe_slug
from traitlets import default

from ..contracts.server_record import STATE_KEY, ServerRecord
from ..contracts.text import Text
from .admitted import AdmissionMixin
from .credentials import CredentialsHandler

SLUG_LENGTH = 30
"""Of one name; two joined by ``--`` are still a DNS label (63)."""


def slug(name: str) -> str:
    """Return a name as engines and file systems take it: small letters, digits, hyphens, at most 30.

    Different names give different slugs, whatever characters they are made of.
    """
    return str(safe_slug(name, max_length=SLUG_LENGTH))


class ProfileMixin(AdmissionMixin):
    """Profiles for any spawner. Stands before it: ``class X(ProfileMixin, SomeSpawner)``."""

    hub_handlers = ((r"/api/jupytercloud/credentials/([a-z][a-z0-9_]{0,30})", CredentialsHandler),)
    """What servers ask of the hub; the authenticator adds it to the hub's addresses."""

    def __init__(self, **kwargs: Any) -> None:
        self._said: list[tuple[Text | str, int]] = []
        self._news = asyncio.Event()
        super().__init__(**kwargs)

    def resolve_options(self, user_options: object) -> None:
        """Judge a choice and begin a new progress log. Raises `StartRefused`."""
        self._said.clear()
        super().resolve_options(user_options)

    def get_state(self) -> dict[str, Any]:
        """Return the backend's state and, under ``jupytercloud``, what other parts may know of the server."""
        state: dict[str, Any] = super().get_state()
        if self._record is not None:
            state[STATE_KEY] = self._record.model_dump(mode="json")
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a server that an earlier hub process started."""
        super().load_state(state)
        self.remember(ServerRecord.from_state(state))
        if self._record is not None:
            self._start_key = self._key()

    def clear_state(self) -> None:
        """Forget the server. The key of its start stays until the place is given back."""
        super().clear_state()
        self._resolved = None
        self.remember(None)

    @property
    def slug(self) -> str:
        """Name of this server for engines: ``<user>`` or ``<user>--<server>``, each a slug; at most 62."""
        return f"{slug(self.user.name)}--{slug(self.name)}" if self.name else slug(self.user.name)

    def labels(self) -> dict[str, str]:
        """Return the labels by which sweep, metrics and people find what belongs to this server."""
        labels = {
            "app.kubernetes.io/managed-by": "jupytercloud-hub",
            "jupytercloud.hub/hub": slug(self.site or "hub"),
            "jupytercloud.hub/user": slug(self.user.name),
            "jupytercloud.hub/server": slug(self.name) if self.name else "",
        }
        if self._record is not None:
            labels["jupytercloud.hub/profile"] = slug(self._record.profile)
        return labels

    def say(self, text: Text | str, percent: int) -> None:
        """Tell the person who waits what is being done."""
        self._said.append((text, percent))
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what was said, in the language of the person, until the start is over."""
        told = 0
        while True:
            news = self._news
            for text, percent in self._said[told:]:
                message = self.words(text) if isinstance(text, Text) else text
                yield {"progress": percent, "message": message}
            told = len(self._said)
            await news.wait()

    async def _generate_progress(self) -> AsyncIterator[dict[str, Any]]:
        async for event in super()._generate_progress():
            if event.get("message") == "Server requested":  # JupyterHub's only fixed sentence, in English
                event = {**event, "message": self.words(Text("Your request has arrived."))}
            yield event

    @default("progress_ready_hook")
    def _default_progress_ready_hook(self) -> Callable[[Any, dict[str, Any]], dict[str, Any]]:
        def ready(spawner: Any, event: dict[str, Any]) -> dict[str, Any]:
            return {
                **{key: value for key, value in event.items() if key != "html_message"},
                "message": spawner.words(Text("Your server is ready.")),
            }

        return ready

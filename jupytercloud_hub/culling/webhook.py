"""Tells warnings to an address that the operator names: a chat room, a mailer, whatever reaches people.

At least once: what was not taken (another status than 2xx, no answer) is told again at the next pass.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import httpx
from pydantic import AwareDatetime, Field

from ..contracts.loopback import is_loopback
from ..contracts.model import Model
from ..contracts.text import LANGUAGES, Language
from ..web.i18n import render
from .rules import Verdict

log = logging.getLogger("jupytercloud.culling")

TIMEOUT_SECONDS = 10.0


class WarningMessage(Model):
    """One server whose owner is warned."""

    user: str
    server: str
    stops_at: AwareDatetime
    cause: str
    rule: str
    reason: dict[Language, str]
    busy: tuple[str, ...] = Field(description="What was computing when the warning was given.")


class WarningsMessage(Model):
    """The body of the POST: all warnings that were not told yet."""

    site: str = Field(description="Short name of the hub.")
    page: str = Field(description='Where people read when and why, and "keep it".')
    warnings: tuple[WarningMessage, ...]


class Webhook:
    """The operator's address for warnings."""

    def __init__(
        self, url: str, token: str | None, site: str, page: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._url, self._site, self._page = url, site, page
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(
            headers=headers, timeout=TIMEOUT_SECONDS, transport=transport, trust_env=not is_loopback(url)
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def tell(self, verdicts: Sequence[Verdict]) -> bool:
        """Send the warnings in one request; False when they were not taken."""
        message = WarningsMessage(site=self._site, page=self._page, warnings=tuple(map(_message, verdicts)))
        headers = {"Content-Type": "application/json"}
        try:
            answer = await self._client.post(self._url, content=message.model_dump_json(), headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("the webhook did not take %d warnings: %s", len(verdicts), error)
            return False
        return True


def _message(verdict: Verdict) -> WarningMessage:
    planned, stops_at = verdict.planned, verdict.stops_at
    if planned is None or stops_at is None:
        raise ValueError("only a server that is going to stop can be warned of")
    return WarningMessage(
        user=verdict.server.user,
        server=verdict.server.name,
        stops_at=stops_at,
        cause=planned.cause.value,
        rule=planned.rule,
        reason={language: render(verdict.reason, language) for language in LANGUAGES},
        busy=verdict.server.busy,
    )

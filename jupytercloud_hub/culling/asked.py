"""Asks the quota service whom it wants stopped (`contracts.stops`)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import httpx
from pydantic import ValidationError

from ..contracts.loopback import is_loopback
from ..contracts.stops import StopList, StopRequest
from .facts import Start

log = logging.getLogger("jupytercloud.culling")

OLDEST = timedelta(minutes=10)
TIMEOUT_SECONDS = 10.0


class Asked:
    """The stops that the quota service asks for; None where it gave no answer that can be used."""

    def __init__(self, url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            trust_env=not is_loopback(url),
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def fetch(self, now: datetime) -> dict[Start, StopRequest] | None:
        """Return the requests by the start that they are about."""
        try:
            response = await self._client.get(self._url)
            response.raise_for_status()
            found = StopList.model_validate_json(response.content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("the quota service gave no list of stops (%s): %s", self._url, error)
            return None
        if now - found.generated > OLDEST:
            log.warning("the quota service's list of stops is from %s: too old to act on", found.generated)
            return None
        return {(stop.user, stop.server, stop.started): stop for stop in found.stops}

"""Logins with two factors: when one is needed, how it is asked for, how long it counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from .oidc.discovery import ProviderMetadata
from .pages import HubPage


class StepUpNeeded(Exception):
    """The person may come in after a stronger login."""


def strong_until(auth_state: Mapping[str, Any], acr: Sequence[str], max_age: float) -> float | None:
    """Return until when (epoch) a login counts as one with two factors; None for one that was not.

    ``auth_time`` says when she proved who she is; without it, it was at the login here at the latest.
    """
    claims = auth_state["id_claims"]
    proved_at = claims.get("auth_time")
    if isinstance(proved_at, bool) or not isinstance(proved_at, int | float):
        proved_at = auth_state["logged_in_at"]
    return float(proved_at) + max_age if claims.get("acr") in acr else None


def is_strong(auth_state: Mapping[str, Any], acr: Sequence[str], max_age: float, now: float) -> bool:
    """Say whether a login was with two factors, and not too long ago."""
    until = strong_until(auth_state, acr, max_age)
    return until is not None and now <= until


def params(metadata: ProviderMetadata, acr: Sequence[str], max_age: int) -> dict[str, str]:
    """Return the request's parameters: essential where the provider can (Core 5.5.1.1), else by preference.

    ``acr_values`` alone is voluntary; the ID token is checked in either case.
    """
    asked = {"acr_values": " ".join(acr), "max_age": str(max_age)}
    if metadata.claims_parameter:
        asked["claims"] = json.dumps({"id_token": {"acr": {"essential": True, "values": list(acr)}}})
        del asked["acr_values"]
    return asked


class StepUpHandler(HubPage):
    """``/hub/oidc/step-up``: where pages send people who need a stronger login.

    They come back to ``next``, else to the page that they come from; ``profile`` is then filled in on the spawn form.
    The login address believes no address that is not this hub's.
    """

    def get(self) -> None:
        back = self.get_query_argument("next", "", strip=False) or self._page_before()
        query = urlencode({"stepup": "1", "next": back})
        self.redirect(f"{self.login_address()}?{query}")

    def _page_before(self) -> str:
        page = urlsplit(self.request.headers.get("Referer", ""))
        spawn = f"{self.hub.base_url}spawn"
        if page.netloc != self.request.host or not (page.path == spawn or page.path.startswith(f"{spawn}/")):
            page = urlsplit(spawn)
        chosen = self.get_query_argument("profile", "")
        kept = [one for one in page.query.split("&") if one and not (chosen and one.startswith("opt-profile="))]
        asked = [urlencode({"opt-profile": chosen})] if chosen else []
        return str(urlunsplit(("", "", page.path, "&".join([*kept, *asked]), "")))

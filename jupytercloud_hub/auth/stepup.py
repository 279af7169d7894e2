"""Logins with two factors: when one is needed, how it is asked for, how long it counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from .oidc.discovery import ProviderMetadata
from .pages import HubPage


class StepUpNeeded(Exception):
    """The person may come in after a stronger login."""


def is_strong(auth_state: Mapping[str, Any], acr: Sequence[str], max_age: float, now: float) -> bool:
    """Say whether a login was with two factors, and not too long ago.

    ``auth_time`` says when she proved who she is; without it, it was at the login here at the latest.
    """
    claims = auth_state["id_claims"]
    proved_at = claims.get("auth_time")
    if isinstance(proved_at, bool) or not isinstance(proved_at, int | float):
        proved_at = auth_state["logged_in_at"]
    return claims.get("acr") in acr and now - proved_at <= max_age


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
    """``/hub/oidc/step-up``: where pages send people who need a stronger login; ``next`` is where they come back."""

    def get(self) -> None:
        query = urlencode({"stepup": "1", "next": self.get_query_argument("next", "", strip=False)})
        self.redirect(f"{self.login_address()}?{query}")

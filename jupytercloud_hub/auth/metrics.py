"""What the authenticator counts. No label names a person; all come from closed lists."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

LOGINS = Counter(
    "jupytercloud_auth_logins",
    "Logins that came to an end, by outcome (accepted, refused, failed, emergency) and reason.",
    ["outcome", "reason"],
)
REFRESHES = Counter(
    "jupytercloud_auth_refreshes",
    "Re-authorisations of people, by outcome (confirmed, refused, unreachable, login-needed, emergency).",
    ["outcome"],
)
PROVIDER_SECONDS = Histogram(
    "jupytercloud_auth_provider_request_seconds",
    "Time that the OpenID provider took to answer, by endpoint and outcome.",
    ["endpoint", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
KEY_REFRESHES = Counter(
    "jupytercloud_auth_jwks_refreshes",
    "Times that the provider's keys were fetched, by outcome.",
    ["outcome"],
)
INVITATIONS = Counter(
    "jupytercloud_auth_invitations",
    "Invitations that somebody tried to accept, by outcome (accepted, unknown, ended, used).",
    ["outcome"],
)
LOGOUTS = Counter("jupytercloud_auth_logouts", "Logouts, by way (front, back) and outcome.", ["way", "outcome"])


def observe_request(endpoint: str, seconds: float, outcome: str) -> None:
    """Record one request to the provider."""
    PROVIDER_SECONDS.labels(endpoint, outcome).observe(seconds)

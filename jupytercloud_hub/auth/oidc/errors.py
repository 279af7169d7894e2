"""What goes wrong with a provider or with what it sends; no message holds a token or a person's data."""

from __future__ import annotations


class OidcError(Exception):
    """``reason`` is a short fixed word for the log and the metrics; ``detail`` says which value it was about."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class ProviderUnavailable(OidcError):
    """It can't be reached, or answers that it can't serve now; trying again later may help."""


class ProviderMisconfigured(OidcError):
    """It answers what OpenID Connect forbids, or what does not fit this hub's configuration."""


class TokenRefused(OidcError):
    """A token that is not what it must be: forged, replayed, for somebody else, too old."""


class GrantRefused(OidcError):
    """The token endpoint refuses a code or a refresh token (RFC 6749 5.2); ``reason`` is its error code."""

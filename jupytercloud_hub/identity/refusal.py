"""Why a person is not let in: one type, with words for her and a code for logs and metrics."""

from __future__ import annotations

from typing import Literal

from jupytercloud_hub.contracts.text import Localized, Text

Reason = Literal[
    "claim-malformed",
    "claim-missing",
    "scope-not-owned",
    "organization-unknown",
    "organization-denied",
    "affiliation-not-accepted",
    "assurance-too-low",
    "username-unsafe",
    "username-taken",
    "name-changed",
    "not-allowed",
    "mfa-needed",
    "account-ended",
    "invitation-unknown",
    "invitation-ended",
    "invitation-used",
]
"""Every reason there is; a metric's label, so the list is closed."""


class Refused(Exception):
    """The claims are genuine, and the person is not let in.

    ``message`` says what happened and ``remedy`` what she, or her organization, can do. Neither they nor
    ``str(error)`` hold a subject, a name or an e-mail: ``str`` is what goes to the log.
    """

    def __init__(
        self,
        reason: Reason,
        message: Text,
        remedy: Text,
        *,
        attribute: str | None = None,
        organization: str | None = None,
        title: Localized | None = None,
        contact: str | None = None,
    ) -> None:
        self.reason: Reason = reason
        self.message = message
        self.remedy = remedy
        self.attribute = attribute
        self.organization = organization
        self.title = title
        self.contact = contact
        super().__init__(reason)

    def __str__(self) -> str:
        """Return reason, attribute and organization: for the log."""
        details = (("attribute", self.attribute), ("organization", self.organization))
        return " ".join([self.reason, *(f"{key}={value!r}" for key, value in details if value)])

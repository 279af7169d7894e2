"""Logins that end on a page: what each failure tells the person, with its status and its logged reason."""

from __future__ import annotations

from datetime import timedelta

from ..contracts.text import Localized, Text
from ..identity import Refused
from ..web.errors import PublicError
from .oidc.errors import GrantRefused, OidcError, ProviderMisconfigured, ProviderUnavailable


class LoginProblem(PublicError):
    """A login that did not succeed. ``reason`` goes to log and metrics; its words go to the page."""

    def __init__(
        self,
        status: int,
        reason: str,
        title: Text,
        message: Text,
        *,
        what_to_do: Text | None = None,
        retry_after: timedelta | None = None,
        attribute: str | None = None,
        organization: str | None = None,
        organization_title: Localized | None = None,
        contact: str | None = None,
        again: bool = True,
    ) -> None:
        super().__init__(status, reason, title, message, what_to_do=what_to_do, retry_after=retry_after)
        self.reason = reason
        self.attribute = attribute
        self.organization = organization
        self.organization_title = organization_title
        self.contact = contact
        self.again = again
        """Whether trying again, with the same or another account, can help."""


def from_refusal(refused: Refused) -> LoginProblem:
    """Return the page of a person whom the rules do not let in."""
    unknown = refused.reason == "organization-unknown"
    return LoginProblem(
        403,
        refused.reason,
        Text("Your organization does not take part here") if unknown else Text("You cannot come in"),
        refused.message,
        what_to_do=refused.remedy,
        attribute=refused.attribute,
        organization=refused.organization,
        organization_title=refused.title,
        contact=refused.contact,
    )


def not_allowed() -> LoginProblem:
    """Return the page of a person whom the hub's own lists do not let in."""
    return LoginProblem(
        403,
        "not-allowed",
        Text("You cannot come in"),
        Text("You logged in, but your account is not among those that may use this service."),
        what_to_do=Text("Ask the people who run this service to open it to you."),
    )


def from_oidc(error: OidcError) -> LoginProblem:
    """Return the page of a login that the provider, or what it sent, brought to an end."""
    if isinstance(error, ProviderUnavailable):
        return LoginProblem(
            503,
            error.reason,
            Text("The login service does not answer"),
            Text("Your organization's login service cannot be reached right now. Servers that are running go on."),
            what_to_do=Text("Try again in a minute."),
            retry_after=timedelta(seconds=30),
        )
    if isinstance(error, ProviderMisconfigured):
        return LoginProblem(
            502,
            error.reason,
            Text("The login service answers in a way that cannot be trusted"),
            Text("Nobody was logged in. The people who run this hub find the reason in its log."),
            what_to_do=Text("Try again later; if it stays, write to the contact below."),
        )
    if isinstance(error, GrantRefused):
        return LoginProblem(
            400,
            f"grant-{error.reason}",
            Text("This login has ended"),
            Text("The login took too long, or this page was loaded twice."),
            what_to_do=Text("Log in again."),
        )
    return LoginProblem(
        403,
        error.reason,
        Text("This login cannot be trusted"),
        Text("The login service's answer did not pass a check that protects your account. Nobody was logged in."),
        what_to_do=Text("Log in again; if this page comes back, write to the contact below."),
    )


def bad_state(reason: str) -> LoginProblem:
    """Return the page of an answer that belongs to no login that this browser began."""
    return LoginProblem(
        400,
        reason,
        Text("This login has ended"),
        Text("The login took too long, was begun in another browser, or cookies are switched off."),
        what_to_do=Text("Log in again."),
    )


def from_response_error(error: str) -> LoginProblem:
    """Return the page for an error that the provider reported (RFC 6749 4.1.2.1); its words are never shown."""
    if error == "access_denied":
        return LoginProblem(
            403,
            "provider-access-denied",
            Text("You did not log in"),
            Text("The login was given up, or your organization did not agree to it."),
            what_to_do=Text("Log in again if that was not what you wanted."),
        )
    if error in ("temporarily_unavailable", "server_error"):
        return from_oidc(ProviderUnavailable("provider-unavailable", "authorization"))
    if error in ("login_required", "interaction_required", "consent_required", "account_selection_required"):
        return LoginProblem(
            400,
            "provider-login-required",
            Text("You did not log in"),
            Text("The login service asks you to log in once more."),
            what_to_do=Text("Log in again."),
        )
    if error == "unmet_authentication_requirements":
        return LoginProblem(
            403,
            "mfa-needed",
            Text("You cannot come in"),
            Text("You must log in with a stronger method (two factors) to come in here."),
            what_to_do=Text(
                "Log in again with your second factor; without one, ask your organization's identity team."
            ),
        )
    return from_oidc(ProviderMisconfigured("provider-error", "authorization"))

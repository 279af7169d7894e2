"""An error that may be shown to a person is a type of its own; everything else is shown as "something broke"."""

from __future__ import annotations

from datetime import timedelta

from ..contracts.text import Text


class PublicError(Exception):
    """What happened and what to do, in words for the person who meets it.

    ``status`` is the HTTP status; ``code`` a stable word for programs; ``retry_after`` becomes the header of
    RFC 9110 §10.2.3.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: Text,
        message: Text,
        *,
        what_to_do: Text | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.message = message
        self.what_to_do = what_to_do
        self.retry_after = retry_after
        super().__init__(f"{status} {code}: {message}")


def not_found() -> PublicError:
    """Return the error for an address that leads nowhere."""
    return PublicError(
        404, "not-found", Text("There is no such page"), Text("The address may have been copied only in part.")
    )


def forbidden(message: Text | None = None) -> PublicError:
    """Return the error for somebody who is logged in but may not see this."""
    return PublicError(
        403,
        "forbidden",
        Text("This page is not for your account"),
        message or Text("You are logged in, but your account has no right to see this page."),
    )


def hub_away() -> PublicError:
    """Return the error for a hub that can't say who asks: nobody is logged out by it."""
    return PublicError(
        503,
        "hub-away",
        Text("The hub does not answer"),
        Text("Who you are can't be asked at this moment. Your servers go on, and you stay logged in."),
        what_to_do=Text("Try again in a minute."),
        retry_after=timedelta(minutes=1),
    )


def no_token() -> PublicError:
    """Return the error for a program that does not say who it is."""
    return PublicError(
        401, "no-token", Text("A token is needed"), Text("Send an API token in the Authorization header.")
    )

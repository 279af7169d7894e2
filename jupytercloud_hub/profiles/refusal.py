"""The one way in which this room says no."""

from __future__ import annotations

from ..contracts.text import Text


class Refused(Exception):
    """A choice that is not granted; an edge turns it into a page, an HTTP status or an exit code.

    ``text`` is for the person, ``reason`` a short label for metrics, ``status`` the HTTP status that fits:
    400 not understood, 403 not for her, 409 not here or not now.
    """

    def __init__(self, text: Text, *, reason: str, status: int = 400) -> None:
        super().__init__(str(text))
        self.text = text
        self.reason = reason
        self.status = status

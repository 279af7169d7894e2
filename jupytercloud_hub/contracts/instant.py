"""A moment as programs send it: RFC 3339 text with its zone, within the years that every zone has. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator


def _text(value: Any) -> Any:
    """Refuse a bare number, which would be read as seconds or milliseconds since 1970, whichever is nearer."""
    if isinstance(value, datetime) or (isinstance(value, str) and not value.lstrip("+-").replace(".", "").isdigit()):
        return value
    raise ValueError("a moment such as 2026-11-20T12:00:00Z is expected")


def _in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; far ones are refused, since they exist in some zones only."""
    if not 1970 < moment.year < 2200:
        raise ValueError("a moment between 1971 and 2199 is expected")
    return moment.astimezone(UTC)


Instant = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_in_utc)]

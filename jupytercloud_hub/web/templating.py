"""Templates of the pages, compiled once for each language."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..contracts.text import LANGUAGES, Language, Localized, Text
from ..contracts.units import format_bytes, format_duration
from .i18n import NATIVE_NAMES, render, translations

_DEFAULT_ZONE = "Europe/Paris"


@cache
def environment(language: Language) -> Environment:
    """Return the template environment of a language.

    Filters: ``say`` (a `Text`), ``localized`` (a `Localized`), ``duration``, ``bytes``, ``number``,
    ``moment``, ``day`` and ``hour`` (an aware datetime, in the zone given or Paris').
    """
    env = Environment(
        loader=PackageLoader("jupytercloud_hub.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]

    def say(text: Text | str) -> str:
        return render(text, language) if isinstance(text, Text) else text

    def localized(text: Localized | str) -> str:
        return text.in_(language) if isinstance(text, Localized) else text

    def duration(value: timedelta) -> str:
        return format_duration(value, language)

    def moment(value: datetime, zone: str = _DEFAULT_ZONE) -> str:
        return str(format_datetime(value, "EEEE d MMMM HH:mm", tzinfo=ZoneInfo(zone), locale=language))

    def day(value: datetime, zone: str = _DEFAULT_ZONE) -> str:
        return str(format_date(value.astimezone(ZoneInfo(zone)), "d MMMM y", locale=language))

    def hour(value: datetime, zone: str = _DEFAULT_ZONE) -> str:
        return str(format_time(value, "HH:mm", tzinfo=ZoneInfo(zone), locale=language))

    def number(value: float, digits: int = 1) -> str:
        return str(format_decimal(round(value, digits), locale=language))

    env.filters.update(
        say=say,
        localized=localized,
        duration=duration,
        bytes=format_bytes,
        number=number,
        moment=moment,
        day=day,
        hour=hour,
    )
    env.globals.update(language=language, languages=LANGUAGES, native_names=NATIVE_NAMES)
    return env


def keep_error_page() -> None:
    """Read what an error page is made of, in all languages: when it is needed, no file may be opened any more."""
    for language in LANGUAGES:
        for name in ("error.html", "page.html"):
            environment(language).get_template(name)


def render_template(name: str, language: Language, **context: Any) -> str:
    """Return a page of ``templates/`` in a language."""
    return environment(language).get_template(name).render(**context)

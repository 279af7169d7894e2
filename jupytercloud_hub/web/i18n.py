"""The language of a page: which one, and its sentences.

Sentences are keyed by their English text; ``translations/fr/*.po`` hold the French ones, one file for each
part. They are read when the process starts, so that no compiled catalogue has to be built or shipped.
"""

from __future__ import annotations

import io
import re
from functools import cache
from gettext import NullTranslations
from importlib import resources
from typing import TYPE_CHECKING

from ..contracts.text import DEFAULT_LANGUAGE, LANGUAGES, Language, Text

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from babel.support import Translations

_BEFORE_A_MARK = re.compile(r" (?=[:;?!»]|%(?!\())|(?<=«) ")
LANGUAGE_COOKIE = "jupytercloud-language"
NATIVE_NAMES: dict[Language, str] = {"fr": "Français", "en": "English"}


def negotiate(*candidates: str | None, accept_language: str | None = None) -> Language:
    """Return the language to speak: the first candidate that is one of ours, else the browser's preference.

    Who prefers neither French nor English gets French. ``accept_language`` is the header of RFC 9110 §12.5.4.
    """
    for candidate in candidates:
        short = (candidate or "")[:2].lower()
        if short in LANGUAGES:
            return short
    return next((tag for tag in _preferences(accept_language or "") if tag in LANGUAGES), DEFAULT_LANGUAGE)


def _preferences(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, the most wanted first; a weight of 0 is a refusal."""
    weighted: list[tuple[float, int, str]] = []
    for position, item in enumerate(header.split(",")[:20]):
        tag, _, parameter = item.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if tag and weight > 0:
            weighted.append((-weight, position, tag.strip().split("-")[0].lower()))
    return [tag for _, _, tag in sorted(weighted)]


@cache
def translations(language: Language) -> NullTranslations:
    """Return the sentences of a language, from all parts."""
    if language == "en":
        return NullTranslations()
    merged: Translations | None = None
    folder = resources.files("jupytercloud_hub.web") / "translations" / language
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".po"):
            one = _read(entry, language)
            merged = merged.merge(one) if merged else one
    if merged is None:
        raise FileNotFoundError(f"no sentences in {folder}")
    return merged


def _read(file: Traversable, language: Language) -> Translations:
    """Return the sentences of one file; what Babel needs to read it is ten times as large, and is gone again."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    buffer = io.BytesIO()
    with file.open("rb") as stream:
        sentences = read_po(stream, locale=language)
    for sentence in sentences:
        whole = sentence.string
        sentence.string = typeset(whole) if isinstance(whole, str) else tuple(map(typeset, whole or ()))
    write_mo(buffer, sentences)
    buffer.seek(0)
    return Translations(buffer)


def typeset(french: str) -> str:
    """Return a French sentence whose marks stay on the line of their word (no-break spaces, as printers set them)."""
    return _BEFORE_A_MARK.sub("\N{NO-BREAK SPACE}", french)


def render(text: Text, language: Language) -> str:
    """Return a pure room's sentence in a language."""
    return text.render(translations(language).gettext, language)

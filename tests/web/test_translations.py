"""Every sentence that a person can read has a French text that says the same of the same things."""

from __future__ import annotations

import re
import string
import warnings
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from jinja2 import Environment

from tests.support.translations import PACKAGE, shown, translated

FOLDER = PACKAGE / "web" / "translations" / "fr"
FILES = sorted(FOLDER.glob("*.po"))
PERCENT = re.compile(r"%\((\w+)\)[sd]")
SAME = {"", "—", "–"}
"""Sentences without words."""


def messages(path: Path) -> list[Message]:
    with path.open("rb") as stream:
        return [message for message in read_po(stream, locale="fr") if message.id]


def forms(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def braces(sentence: str) -> Counter[str]:
    """Return the ``{places}`` of a sentence; a sentence that is no format has none."""
    try:
        return Counter(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)
    except ValueError:
        return Counter()


def test_each_part_has_its_file():
    assert {path.stem for path in FILES} >= {"web", "settings", "check", "person"}


def test_every_sentence_has_a_french_text():
    known = translated()
    missing = sorted({(name, sentence) for name, sentence in shown() if not known.get(sentence)} - {("", "")})
    by_room = Counter(name.split("/")[0] for name, _ in missing)
    assert missing == [], f"{len(missing)} sentences lack one: {dict(by_room)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_places_of_a_sentence_are_the_same_in_french(path):
    wrong = []
    for message in messages(path):
        wanted = {sentence: (set(braces(sentence)), set(PERCENT.findall(sentence))) for sentence in forms(message.id)}
        for text in forms(message.string):
            if text and (set(braces(text)), set(PERCENT.findall(text))) not in wanted.values():
                wrong.append((message.id, text))
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_text_can_be_filled_with_anything(path):
    """A brace too many, or a lonely percent sign in a page's sentence, would break the page for French readers only."""
    gettext = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    gettext.install_gettext_callables(lambda text: text, lambda one, many, n: many, newstyle=True)
    for message in messages(path):
        for text in forms(message.string):
            if PERCENT.search(text):
                assert text % dict.fromkeys(PERCENT.findall(text), "x")
            elif braces(text):
                assert text.format(**dict.fromkeys(braces(text), "x"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plurals_have_both_french_forms(path):
    for message in messages(path):
        if isinstance(message.id, tuple | list):
            assert len(forms(message.string)) == 2, message.id
            assert all(forms(message.string)), message.id


def test_no_sentence_has_two_french_texts():
    """Catalogues are merged when they are read: of two texts one would win by the name of its file."""
    texts: dict[str, set[str]] = {}
    for path in FILES:
        for message in messages(path):
            texts.setdefault(forms(message.id)[0], set()).add(" ".join(forms(message.string)))
    assert {sentence: found for sentence, found in texts.items() if len(found) > 1} == {}


def test_french_texts_are_not_left_fuzzy():
    assert [(path.stem, message.id) for path in FILES for message in messages(path) if message.fuzzy] == []


def test_texts_that_nobody_shows_any_more_are_reported():
    """Not an error: a sentence may be made of parts that no extraction sees."""
    used = {sentence for _, sentence in shown()}
    orphans = [(path.stem, forms(m.id)[0]) for path in FILES for m in messages(path) if forms(m.id)[0] not in used]
    if orphans:
        warnings.warn(f"{len(orphans)} French texts belong to no sentence: {orphans[:10]}", stacklevel=1)

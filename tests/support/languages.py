"""Which words of a text are of the other language: those that only the other language's sentences of ours have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from babel import Locale
from playwright.async_api import Page

from .translations import translated

OTHER = {"en": "fr", "fr": "en"}
WORD = re.compile(r"[^\W\d_]{2,}")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+[^}]*\}")
COMMON = {
    "fr": "le la les un une des du de au aux et ou où est sont qui que pour par dans sur avec sans votre vous nous il",
    "en": "the an of to and or is are who which what for by in on with without your you we it they",
}
"""Words that give a language away, whatever our sentences hold."""
SEEN = """() => {
  const others = [...document.body.querySelectorAll("[lang]")];
  others.forEach((one) => one.style.setProperty("display", "none", "important"));
  const named = [...document.querySelectorAll("[aria-label], [alt], [placeholder], [title]")].filter(
    (one) => !others.some((other) => other.contains(one)));
  const text = [document.title, document.body.innerText, ...named.flatMap(
    (one) => ["aria-label", "alt", "placeholder", "title"].map((name) => one.getAttribute(name) || ""))].join("\\n");
  others.forEach((one) => one.style.removeProperty("display"));
  return text;
}"""
"""What a page says in its own language; what is marked with a language of its own is left out."""
ANYWHERE = ("Défenseur des droits", "JupyterLab", "RGAA", "axe-core")
"""What is called the same in both languages."""


def words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}


@cache
def vocabulary(language: str) -> frozenset[str]:
    """Return the words of all our sentences in a language, of its calendar, and its commonest."""
    sentences = translated() if language == "en" else translated().values()
    calendar = Locale(language)
    names = [
        name
        for part in (calendar.months, calendar.days)
        for width in ("wide", "abbreviated")
        for name in part["format"][width].values()
    ]
    return frozenset(words(PLACEHOLDER.sub(" ", " ".join([*sentences, *names, COMMON[language]]))))


def strangers(text: str, language: str, names: Iterable[str] = ()) -> set[str]:
    """Return the words of a text that is to be in ``language`` and that only the other one has; never ``names``."""
    text = re.sub(r"\S*\d\S*", " ", text)  # seat-0001, and other identifiers
    return words(text) & (vocabulary(OTHER[language]) - vocabulary(language)) - words(" ".join([*names, *ANYWHERE]))


async def read(page: Page, language: str, names: Iterable[str] = ()) -> str:
    """Return what a page says to eyes and to screen readers.

    Raises AssertionError where it is not in the language, or has a hole where a value was to be.
    """
    text = str(await page.evaluate(SEEN))
    assert await page.get_attribute("html", "lang") == language
    other = strangers(text, language, names)
    assert not other, f"{sorted(other)} at {page.url}:\n{text}"
    assert not re.search(r"%\(|\{\w*\}|\bNone\b|\bnan\b", text), text
    return text

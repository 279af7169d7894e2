"""Finds the sentences that the package shows and that a catalogue lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PACKAGE = Path(__file__).parents[2] / "jupytercloud_hub"
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "Text": None}
METHODS = [
    ("**/migrations/**", "ignore"),
    ("**/node_modules/**", "ignore"),
    ("**.py", "python"),
    ("**/templates/**.html", "jinja2"),
]


def shown() -> Iterator[tuple[str, str]]:
    """Yield (file, sentence) for every sentence that code and templates show."""
    found = extract_from_dir(PACKAGE, METHODS, {"**.html": {"newstyle_gettext": "true"}}, KEYWORDS)
    for name, _line, message, _comments, _context in found:
        yield name, message if isinstance(message, str) else message[0]


def translated(language: str = "fr") -> dict[str, str]:
    """Return sentence → translation of all catalogues of a language."""
    known: dict[str, str] = {}
    for path in sorted((PACKAGE / "web" / "translations" / language).glob("*.po")):
        with path.open("rb") as stream:
            for message in read_po(stream, locale=language):
                if message.id:
                    key = message.id if isinstance(message.id, str) else message.id[0]
                    text = message.string if isinstance(message.string, str) else " ".join(message.string)
                    known[key] = text
    return known


if __name__ == "__main__":  # python -m tests.support.translations [folder …]: print what is missing, as .po entries
    known = translated()
    for name, sentence in sorted(set(shown())):
        if not known.get(sentence) and (not sys.argv[1:] or name.split("/")[0] in sys.argv[1:]):
            quoted = sentence.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            print(f'#: {name}\nmsgid "{quoted}"\nmsgstr ""\n')

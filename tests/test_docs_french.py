"""Every page for people and administrators stands in French too, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.support import ROOT

DOCS = ROOT / "docs"
FRENCH = DOCS / "locale" / "fr" / "LC_MESSAGES"
NATIVE = ("runbooks", "forms")
"""Folders whose pages are written in French."""
NATIVE_PAGES = ("explanation/accessibility",)
"""Pages that are written in French."""
PAGES = sorted(
    path.relative_to(DOCS).with_suffix("").as_posix()
    for path in DOCS.rglob("*.md")
    if not {"_build", "reference", *NATIVE} & set(path.relative_to(DOCS).parts)
    and path.relative_to(DOCS).with_suffix("").as_posix() not in NATIVE_PAGES
)


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Sphinx finds to translate, page by page."""
    made = tmp_path_factory.mktemp("gettext")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "gettext", "-d", str(made / "trees"), str(DOCS), str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr
    return made


def sentences(file: Path) -> dict[str, str]:
    """Return message → translation, without those that hold nothing but code."""
    with file.open("rb") as stream:
        return {str(one.id): str(one.string or "") for one in read_po(stream) if one.id and in_words(str(one.id))}


def in_words(text: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2}", re.sub(r"`+[^`]*`+|\{\w+\}|<[^>]*>", "", text)))


def missing(catalogues: Path, page: str) -> list[str]:
    kept = sentences(FRENCH / f"{page}.po") if (FRENCH / f"{page}.po").exists() else {}
    return [text for text in sentences(catalogues / f"{page}.pot") if not kept.get(text)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", PAGES)
def test_every_sentence_of_a_page_is_there_in_french(page: str, catalogues: Path) -> None:
    assert missing(catalogues, page) == []


@pytest.mark.parametrize("file", sorted(FRENCH.rglob("*.po")), ids=lambda file: file.relative_to(FRENCH).as_posix())
def test_translation_keeps_code_and_links_as_they_are(file: Path) -> None:
    for text, french in sentences(file).items():
        for pattern in (r"`[^`]+`", r"\]\(([^)]*)\)"):
            assert sorted(re.findall(pattern, text)) == sorted(re.findall(pattern, french)), text


@pytest.mark.parametrize("page", [*PAGES, *(f"runbooks/{path.stem}" for path in (DOCS / "runbooks").glob("*.md"))])
def test_links_within_the_docs_lead_to_pages_files_and_headings_that_exist(page: str) -> None:
    file = DOCS / f"{page}.md"
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (file.parent / path).resolve() if path else file
        assert found.exists() or "reference/" in path, f"{page}: {target}"
        if anchor and found.suffix == ".md" and found.exists():
            assert anchor in headings(found), f"{page}: {target}"


def headings(file: Path) -> set[str]:
    found = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in found}

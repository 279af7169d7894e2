"""What is hung up and handed out: poster and code sheets as PDF, in French and in English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import segno
from fpdf import FPDF

from ..contracts.text import LANGUAGES, Language, Localized, Text
from ..web.i18n import render
from .codes import shown

FAR_POINTS = 40.0
"""Smallest letters of the poster: capitals 10 mm high are read from two metres by who needs them three times as
large as a good eye does."""
FAR_QR_MM = 200.0
"""Side of the poster's QR code: telephones read one from ten times its side."""
A3 = (297.0, 420.0)
A4 = (210.0, 297.0)
COLUMNS, ROWS = 2, 5
NEAR_QR_MM = 34.0
FONT = "Helvetica"
INK = (22, 32, 46)
ACCENT = (27, 79, 156)


@dataclass(frozen=True, slots=True)
class Printed:
    """What poster and sheets say."""

    title: Localized
    url: str
    """Address of the event's hub."""
    days: Localized
    """When it is open, in words."""
    open_code: str | None
    fictitious_data: bool


def link(url: str, code: str | None = None) -> str:
    """Return the address that a QR code leads to; it fills the code in, and lets nobody in by itself."""
    return f"{url}hub/login?code={code}" if code else f"{url}hub/login"


def poster(about: Printed, target: Path) -> None:
    """Write the poster: a page A3 for each language."""
    pdf = _pdf(A3, about.title.in_("fr"))
    for language in LANGUAGES:
        pdf.add_page()
        _poster_page(pdf, about, language)
    pdf.output(str(target))


def sheets(about: Printed, codes: Sequence[str], target: Path) -> None:
    """Write the sheets that are cut into tickets, ten a page, each with its code in words and as a QR code."""
    pdf = _pdf(A4, about.title.in_("fr"))
    width, height = (A4[0] - 20) / COLUMNS, (A4[1] - 22) / ROWS
    for number, code in enumerate(codes):
        place = number % (COLUMNS * ROWS)
        if place == 0:
            pdf.add_page()
        row, column = divmod(place, COLUMNS)
        _ticket(pdf, about, code, number + 1, 10 + column * width, 11 + row * height, width, height)
    pdf.output(str(target))


def _pdf(size: tuple[float, float], title: str) -> FPDF:
    pdf = FPDF(unit="mm", format=size)
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.set_title(title)
    pdf.set_lang("fr")
    return pdf


def _poster_page(pdf: FPDF, about: Printed, language: Language) -> None:
    def say(text: Text) -> str:
        return render(text, language)

    width = A3[0] - 30
    pdf.set_fill_color(*ACCENT)
    pdf.rect(0, 0, A3[0], 82, style="F")
    pdf.set_text_color(255, 255, 255)
    below = _lines(pdf, 15, 7, width, about.title.in_(language), 62, bold=True, most=2)
    _lines(pdf, 15, below + 2, width, about.days.in_(language), FAR_POINTS, most=1)
    pdf.set_text_color(*INK)
    _qr(pdf, link(about.url, about.open_code), (A3[0] - FAR_QR_MM) / 2, 86, FAR_QR_MM)
    top = 87 + FAR_QR_MM
    steps = [Text("1. Scan with your telephone")]
    if about.open_code:
        steps.append(Text("2. Press the button"))
        steps.append(Text("or type: {code}", code=shown(about.open_code)))
    else:
        steps.append(Text("2. Type the code of your ticket"))
        steps.append(Text("3. No name, no account: play!"))
    for step in steps:
        top = _lines(pdf, 15, top, width, say(step), 52, bold=True, most=1)
    address = about.url.removeprefix("https://").removeprefix("http://").rstrip("/")
    pdf.set_text_color(*ACCENT)
    top = _lines(pdf, 15, top + 2, width, address, FAR_POINTS + 4, bold=True, most=1)
    if about.fictitious_data:
        pdf.set_text_color(*INK)
        _lines(pdf, 15, top + 2, width, say(Text("The data shown are made up.")), FAR_POINTS, most=1)


def _lines(
    pdf: FPDF, x: float, y: float, width: float, text: str, points: float, *, bold: bool = False, most: int
) -> float:
    """Write text in at most ``most`` lines, smaller where it is too long, never below `FAR_POINTS`; return the y."""
    text = printable(text)
    size = points
    while True:
        pdf.set_font(FONT, "B" if bold else "", size)
        height = size * 0.42
        lines = cast("list[str]", pdf.multi_cell(width, height, text, align="C", dry_run=True, output="LINES"))
        fits = len(lines) <= most
        if fits or size <= FAR_POINTS:
            break
        size = max(FAR_POINTS, size - 2)
    pdf.set_xy(x, y)
    pdf.multi_cell(width, height, text, align="C")
    return float(pdf.get_y())


def _ticket(pdf: FPDF, about: Printed, code: str, number: int, x: float, y: float, width: float, height: float) -> None:
    pdf.set_draw_color(160, 160, 160)
    pdf.set_dash_pattern(dash=1.5, gap=1.5)
    pdf.rect(x, y, width, height)
    pdf.set_dash_pattern()
    _qr(pdf, link(about.url, code), x + 2, y + 4, NEAR_QR_MM)
    left, room = x + NEAR_QR_MM + 4, width - NEAR_QR_MM - 6
    pdf.set_text_color(*INK)

    def line(
        text: str, points: float, top: float, *, bold: bool = False, width: float = room, at: float = left
    ) -> None:
        text = printable(text)
        pdf.set_font(FONT, "B" if bold else "", points)
        while pdf.get_string_width(text) > width - 1 and points > 6:
            points -= 0.5
            pdf.set_font(FONT, "B" if bold else "", points)
        pdf.set_xy(at, top)
        pdf.cell(width, points * 0.4, text)

    line(about.title.in_("fr"), 11, y + 5, bold=True)
    if about.title.in_("en") != about.title.in_("fr"):
        line(about.title.in_("en"), 9, y + 9.5)
    line(shown(code), 20, y + 14, bold=True)
    line(render(Text("Your code. Keep it: it brings you back."), "fr"), 8.5, y + 25)
    line(render(Text("Your code. Keep it: it brings you back."), "en"), 8.5, y + 30)
    address = about.url.removeprefix("https://").removeprefix("http://").rstrip("/")
    line(address, 10, y + 41, bold=True, width=width - 6, at=x + 3)
    line(f"n° {number}", 8, y + height - 6, width=20, at=x + width - 16)


def _qr(pdf: FPDF, address: str, x: float, y: float, side: float) -> None:
    """Draw a QR code of that side, its quiet zone of four modules (ISO/IEC 18004) included."""
    matrix = segno.make(address, error="m", micro=False).matrix
    quiet = 4
    module = side / (len(matrix) + 2 * quiet)
    pdf.set_fill_color(255, 255, 255)
    pdf.rect(x, y, side, side, style="F")
    pdf.set_fill_color(0, 0, 0)
    for row, cells in enumerate(matrix):
        column = 0
        while column < len(cells):
            run = column
            while run < len(cells) and cells[run]:
                run += 1
            if run > column:
                left, top = x + (column + quiet) * module, y + (row + quiet) * module
                pdf.rect(left, top, (run - column) * module, module * 1.01, style="F")
            column = run + 1


_REPLACED = str.maketrans({"\u202f": "\u00a0", "–": "-", "—": "-", "’": "'", "“": '"', "”": '"', "œ": "oe", "…": "..."})


def printable(text: str) -> str:
    """Return the text in the letters that PDF's own fonts have (Latin-1), so that no font has to be shipped."""
    return text.translate(_REPLACED).encode("latin-1", "replace").decode("latin-1")

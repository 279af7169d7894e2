"""What a printed page looks like, and where its QR codes lead, as a telephone's camera sees them."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import zxingcpp
from PIL.Image import Image


def pages(path: Path, scale: float = 1.5) -> list[Image]:
    """Return the pages of a PDF as pictures; ``scale`` 1 is 72 dots per inch."""
    return [page.render(scale=scale).to_pil() for page in pypdfium2.PdfDocument(path)]


def links(picture: Image) -> list[str]:
    """Return what the QR codes on a picture say, in no order."""
    return [found.text for found in zxingcpp.read_barcodes(picture)]

"""Sheets to a PDF with a text layer, to pictures, and to word boxes as the pipeline groups them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pypdfium2 as pdfium
from fpdf import FPDF
from numpy.typing import NDArray

from lib.domain.document import Page, PageSource
from lib.loading.textlayer import PlacedWord, lines
from synthetic.sheet import Band, Rule, Sheet, Text

ASCENT, DESCENT = 0.93, 0.22  # of the font size, as font programs of Latin text say
PAGE_DPI = 150


def pdf(sheets: Sequence[Sheet]) -> bytes:
    """A born-digital PDF; the same sheets give the same bytes."""
    out = FPDF(unit="pt")
    out.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    out.set_auto_page_break(False)
    added: set[str] = set()
    for sheet in sheets:
        out.add_page(format=(sheet.width, sheet.height))
        for mark in sheet.marks:
            if isinstance(mark, Text):
                _write(out, mark, added)
            elif isinstance(mark, Rule):
                out.set_draw_color(*mark.colour)
                out.set_line_width(mark.weight)
                out.line(mark.x0, mark.y0, mark.x1, mark.y1)
            elif isinstance(mark, Band):
                out.set_fill_color(*mark.colour)
                out.rect(mark.x0, mark.y0, mark.x1 - mark.x0, mark.y1 - mark.y0, style="F")
    return bytes(out.output())


def _write(out: FPDF, mark: Text, added: set[str]) -> None:
    style = "B" if mark.bold else ""
    key = f"{mark.family.name}{style}"
    if key not in added:
        out.add_font(mark.family.name, style, mark.family.face(bold=mark.bold).path)
        added.add(key)
    out.set_font(mark.family.name, style, mark.size)
    out.set_text_color(*mark.colour)
    out.text(mark.x, mark.y, mark.text)


def pictures(document: bytes, dpi: float) -> list[NDArray[np.uint8]]:
    """Each page of a PDF as grey pixels, shape (height, width)."""
    opened = pdfium.PdfDocument(document)
    made = [page.render(scale=dpi / 72, grayscale=True).to_numpy().copy() for page in opened]
    opened.close()
    return [np.asarray(picture.reshape(picture.shape[:2]), np.uint8) for picture in made]


def pages(sheets: Sequence[Sheet]) -> tuple[Page, ...]:
    """The words with their boxes, in the lines that the text layer's reader makes of them."""
    return tuple(_page(sheet, number) for number, sheet in enumerate(sheets, start=1))


def _page(sheet: Sheet, number: int) -> Page:
    words: list[PlacedWord] = []
    for mark in sheet.marks:
        if isinstance(mark, Text):
            words += _words(mark, len(words))
    return Page(
        number=number,
        width=round(sheet.width * PAGE_DPI / 72),
        height=round(sheet.height * PAGE_DPI / 72),
        rotation=0,
        source=PageSource.TEXT_LAYER,
        lines=lines(words, sheet.width, sheet.height),
    )


def _words(mark: Text, order: int) -> list[PlacedWord]:
    face = mark.family.face(bold=mark.bold)
    found: list[PlacedWord] = []
    start = 0
    for part in mark.text.split(" "):
        if part:
            left = mark.x + face.width(mark.text[:start], mark.size)
            found.append(
                PlacedWord(
                    text=part,
                    x0=left,
                    y0=mark.y - ASCENT * mark.size,
                    x1=left + face.width(part, mark.size),
                    y1=mark.y + DESCENT * mark.size,
                    baseline=mark.y,
                    upright=True,
                    spaced=bool(found),
                    order=order + len(found),
                )
            )
        start += len(part) + 1
    return found

"""One synthetic document by its number: facts, layout, then the form that was asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthetic import bill, capture, render
from synthetic.fonts import Fonts
from synthetic.invoice_layout import InvoiceLayout
from synthetic.places import Country
from synthetic.receipt_layout import ReceiptLayout
from synthetic.sheet import Sheet
from synthetic.styles import DEVELOPMENT, choose_styles
from synthetic.truth import Truth

SCAN_DPI = (150, 200, 200, 300)
SUFFIX = {"pdf": "pdf", "scan": "pdf", "photo": "jpg"}


@dataclass(frozen=True)
class Synthetic:
    """A document before it is rendered; `seed` makes all that follows reproducible."""

    id: str
    kind: str
    seed: str
    sheets: tuple[Sheet, ...]
    truth: Truth


def compose(
    index: int,
    kind: str,
    seed: int,
    countries: Sequence[Country],
    fonts: Fonts,
    split: str = DEVELOPMENT,
) -> Synthetic:
    """Document `index` of a set: languages in turn, then one of the language's countries.

    The same arguments give the same document, whatever else is made along with it. `split` says
    which layouts of invoices, and which labels, are used (see `synthetic.styles`).
    """
    key = f"{seed}:{kind}:{index}"
    chance, rounds = random.Random(key), random.Random(f"{key}:rare")
    languages = sorted({country.language for country in countries})
    language = languages[index % len(languages)]
    country = chance.choice([place for place in countries if place.language == language])
    layout: InvoiceLayout | ReceiptLayout
    if kind == "receipt":
        made = bill.receipt(country, chance, rounds)
        layout = ReceiptLayout(made, chance, fonts, split)
    else:
        made = bill.invoice(country, chance, rounds)
        styles = choose_styles(split, random.Random(f"{key}:style"))
        layout = InvoiceLayout(made, chance, fonts, styles)
    sheets = tuple(layout.draw())
    name = f"{kind}_{country.language}_{country.code.lower()}_{seed}_{index:05d}"
    return Synthetic(name, made.kind, key, sheets, layout.truth)


def file_bytes(document: Synthetic, form: str) -> bytes:
    """The document as a file of `form` (pdf, scan, photo). A photo shows its first page."""
    drawn = render.pdf(document.sheets)
    if form == "pdf":
        return drawn
    chance = random.Random(f"{document.seed}:{form}")
    noise = np.random.default_rng(chance.getrandbits(64))
    till = document.kind == "receipt"
    dpi = chance.choice(SCAN_DPI) if form == "scan" else (250 if till else 200)
    pages = [capture.printed(p, chance, noise, till=till) for p in render.pictures(drawn, dpi)]
    if form == "photo":
        return capture.photo(pages[0], f"{document.seed}:camera")
    sizes = [(sheet.width, sheet.height) for sheet in document.sheets]
    return capture.scan(pages, sizes, f"{document.seed}:scanner")

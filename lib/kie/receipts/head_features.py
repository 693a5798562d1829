"""What the head network sees of each piece of a receipt's head: its letters, and numbers about it.

A model file is only good for the features that it was trained with: their names and `ALPHABET` are
stored in the file and compared when it is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lib.kie.layout import PageLayout
from lib.kie.mentions import Mentions
from lib.kie.receipts.name_evidence import NameEvidence
from lib.kie.receipts.pieces import Piece
from lib.kie.receipts.runs import LONGEST_ADDRESS, Run
from lib.values.text import base_letter, fold_width

LONGEST_PIECE = 36
"""Characters of a piece that the network reads."""

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ9.,&()/-:'#@ абвгдежзийклмнопрстуфхцчшщъыьэюя"
"""Characters that it tells apart, numbered from 2. 0 is no character, 1 any other one.

All digits are a 9: which digits a number has says nothing about what it is.
"""

# Meanings of the label phrases (lexicons) that say what a head line is.
_NAMES = (
    "vendor_name",
    "vendor_address",
    "vendor_tax_id",
    "vendor_registration_id",
    "vendor_phone",
    "fax",
    "vendor_email",
    "vendor_website",
    "customer_name",
    "document_number",
    "issue_date",
    "contact",
    "country",
    "legal_form",
    "street",
    "notice",
    "salutation",
    "duplicate",
    "total",
    "tax",
    "cash",
    "card",
)
_FLAGS = (
    "has_date",
    "has_money",
    "has_legal_form",
    "is_legal_name",
    "is_document_type",
    "is_label",
    "has_street",
    "has_number_of_house",
    "has_postcode",
    "has_town",
    "is_country",
    "is_registration",
    "is_notice",
    "has_web",
    "has_phone",
    "has_long_number",
    "is_address_like",
    "is_stop",
)
_SHAPE = (
    "length",
    "letters",
    "digits",
    "words",
    "commas",
    "full stops",
    "opening brackets",
    "capitals",
    "ends with a comma",
    "ends with a full stop",
    "ends with a colon",
    "holds a colon",
    "starts with a digit",
    "starts with a bracket",
)
_PLACE = (
    "height",
    "height over the tallest",
    "letter width",
    "width",
    "off the middle",
    "indent",
    "way down",
    "row",
    "pieces before",
    "wordy pieces before",
    "split off",
    "column",
    "cells in the row",
    "unsurely read",
    "gap above",
    "gap below",
)
FEATURES: tuple[str, ...] = (*_SHAPE, *_PLACE, *_FLAGS, *(f"label {name}" for name in _NAMES))

_COLUMNS = {name: len(FEATURES) - len(_NAMES) + index for index, name in enumerate(_NAMES)}

_FEWEST_LETTERS = 4  # of a piece that says something
_WIDEST_GAP = 3.0  # letter heights
_CHARACTERS = 1024  # whose codes are kept: more than a page of any script has
_INDEX = {character: index for index, character in enumerate(ALPHABET.casefold(), start=2)}


@dataclass(frozen=True, slots=True)
class HeadFeatures:
    """`letters` int64 (pieces, LONGEST_PIECE); `numbers` float32 (pieces, len(FEATURES)).

    `names` are the runs that can be the vendor's name, `evidence` float32 (names, NAME_FEATURES),
    `addresses` the runs that can be its address.
    """

    letters: NDArray[np.int64]
    numbers: NDArray[np.float32]
    names: tuple[Run, ...]
    evidence: NDArray[np.float32]
    addresses: tuple[Run, ...]


def head_features(mentions: Mentions, pieces: Sequence[Piece]) -> HeadFeatures:
    """The features of a head's pieces, in their order; they stand on the document's first page."""
    letters = np.zeros((len(pieces), LONGEST_PIECE), np.int64)
    for row, piece in zip(letters, pieces, strict=True):
        codes = letter_codes(piece.text)
        row[: len(codes)] = codes
    numbers = np.zeros((len(pieces), len(FEATURES)), np.float32)
    if pieces:
        page = mentions.layout.pages[0]
        places = _places(pieces, page)
        for index, piece in enumerate(pieces):
            flags = [float(getattr(piece, flag)) for flag in _FLAGS]
            numbers[index, : -len(_NAMES)] = (*_shape(piece), *places[index], *flags)
            for name in piece.names & _COLUMNS.keys():
                numbers[index, _COLUMNS[name]] = 1.0
    runs = NameEvidence(mentions, pieces)
    return HeadFeatures(letters, numbers, runs.names, runs.features(), address_runs(pieces))


def address_runs(pieces: Sequence[Piece]) -> tuple[Run, ...]:
    """Runs without a piece that is foreign to addresses or names an item."""
    foreign = [
        piece.is_foreign_to_addresses or (below is not None and below.is_product)
        for piece, below in zip(pieces, (*pieces[1:], None), strict=False)
    ]
    found = []
    for first in range(len(pieces)):
        for last in range(first, min(len(pieces), first + LONGEST_ADDRESS)):
            if foreign[last]:
                break
            found.append(Run(first, last))
    return tuple(found)


def letter_codes(text: str) -> list[int]:
    """A number per character, of the first LONGEST_PIECE ones: without case, accents, digits."""
    return list(map(_code, text[:LONGEST_PIECE]))


@lru_cache(_CHARACTERS)
def _code(character: str) -> int:
    plain = base_letter(fold_width(character)).casefold()
    return _INDEX["9"] if plain.isdecimal() else _INDEX.get(plain, 1)


def _shape(piece: Piece) -> tuple[float, ...]:
    text = piece.text
    length = max(1, len(text))
    return (
        len(text) / 20,
        piece.letters / length,
        piece.digits / length,
        len(text.split()) / 4,
        text.count(","),
        text.count("."),
        text.count("("),
        sum(map(str.isupper, text)) / max(1, piece.letters),
        text.endswith(","),
        text.endswith("."),
        text.endswith(":"),
        ":" in text,
        text[0].isdigit(),
        text[0] in "([{*",
    )


def _places(pieces: Sequence[Piece], page: PageLayout) -> list[tuple[float, ...]]:
    """Where each piece stands, in letter heights and in shares of what is printed."""
    tallest = max(p.cell.height_ratio for p in pieces)
    width, height = max(1.0, page.box.width), max(1.0, page.box.height)
    found: list[tuple[float, ...]] = []
    wordy = 0
    for index, piece in enumerate(pieces):
        box = piece.span.box
        first_row = pieces[0].row.index
        found.append(
            (
                min(4.0, piece.cell.height_ratio) - 1,
                piece.cell.height_ratio / tallest,
                box.width / max(1, len(piece.text)) / page.letter_height,
                box.width / width,
                abs(box.center_x - page.box.center_x) / width,
                (box.x0 - page.box.x0) / width,
                (box.y0 - page.box.y0) / height,
                (piece.row.index - first_row) / 8,
                index / 8,
                wordy / 4,
                piece.part,
                piece.cell.column,
                len(piece.row.cells) - 1,
                1 - piece.cell.line.confidence,
                _gap(pieces, index - 1, page),
                _gap(pieces, index, page),
            )
        )
        wordy += piece.letters >= _FEWEST_LETTERS
    return found


def _gap(pieces: Sequence[Piece], upper: int, page: PageLayout) -> float:
    """White space in letter heights between a piece and the next; none within a row."""
    if upper < 0 or upper + 1 >= len(pieces):
        return _WIDEST_GAP
    above, below = pieces[upper].row, pieces[upper + 1].row
    if above is below:
        return 0.0
    return min(_WIDEST_GAP, max(-1.0, (below.box.y0 - above.box.y1) / page.letter_height))

"""How an invoice may be laid out, aspect by aspect; some ways and labels are held out.

Whoever improves reading looks at documents of the development split. Held-out documents have the
letterheads, tables, sums and labels that no development document has: what is measured on them is
how reading holds on layouts that nobody worked on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

DEVELOPMENT, HELD_OUT = "development", "held_out"
SPLITS = (DEVELOPMENT, HELD_OUT)
_HELD_OUT_LABELS = 4  # one label in so many

# Where the seller stands: ... as an own block under a label, only above the window and in the foot.
LETTERHEADS = {
    DEVELOPMENT: ("plain", "plain", "split", "labelled", "foot"),
    HELD_OUT: ("bar", "boxed", "right_stack"),
}
PAIRS = {
    DEVELOPMENT: ("list", "list", "stacked", "band", "inline", "titled"),
    HELD_OUT: ("grid", "pipes", "opposite"),
}
COLUMNS = {
    DEVELOPMENT: (
        "description quantity unit_price amount",
        "position description quantity unit unit_price amount",
        "code description quantity unit_price amount",
        "quantity unit description unit_price amount",
        "position code description quantity unit unit_price tax_rate amount",
        "description quantity unit_price tax_rate amount",
        "quantity code description unit_price amount",
        "description amount",
        "code description unit quantity unit_price amount",
        "position description tax_rate quantity unit_price amount",
        "description unit_price quantity amount",
        "position description quantity unit_price amount tax_rate gross",
    ),
    HELD_OUT: (
        "quantity description unit_price amount",
        "code quantity unit description unit_price amount",
        "description unit unit_price quantity tax_rate amount",
        "position quantity unit code description unit_price amount",
        "description code quantity unit_price amount",
        "description quantity unit_price amount tax_rate tax_amount gross",
        "position description code unit quantity unit_price tax_rate amount",
    ),
}
RULING = {
    DEVELOPMENT: ("lines", "boxes", "head", "none", "bands", "zebra"),
    HELD_OUT: ("double", "columns"),
}
# At which line of a wrapped description the numbers of its row stand.
NUMBERS_AT = {DEVELOPMENT: ("first", "first", "first", "last"), HELD_OUT: ("first", "middle")}
# A code without a column of its own.
CODES = {DEVELOPMENT: ("below", "before"), HELD_OUT: ("labelled", "bracketed")}
SUMS = {
    DEVELOPMENT: ("right", "right", "boxed", "left", "strip", "foot"),
    HELD_OUT: ("beside_taxes", "band", "strip_of_two"),
}


@dataclass(frozen=True)
class Styles:
    """One document's choices. `rare` ones are drawn from all documents' splits alike."""

    split: str
    letterhead: str
    pairs: str
    columns: tuple[str, ...]
    ruling: str
    numbers_at: str
    codes: str
    sums: str
    signed: bool
    joined_unit: bool
    percent_discount: bool
    details: bool
    groups: bool
    tax_table: bool
    tax_letters: bool


def choose_styles(split: str, chance: random.Random) -> Styles:
    """A way for each aspect of those that the split has."""

    def of(table: dict[str, Sequence[str]]) -> str:
        return chance.choice(table[split])

    return Styles(
        split=split,
        letterhead=of(LETTERHEADS),
        pairs=of(PAIRS),
        columns=tuple(of(COLUMNS).split()),
        ruling=of(RULING),
        numbers_at=of(NUMBERS_AT),
        codes=of(CODES) if chance.random() < 0.3 else "",
        sums=of(SUMS),
        signed=chance.random() < 0.15,
        joined_unit=chance.random() < 0.25,
        percent_discount=chance.random() < 0.5,
        details=chance.random() < 0.15,
        groups=chance.random() < 0.08,
        tax_table=chance.random() < 0.25,
        tax_letters=chance.random() < 0.12,
    )


def labels_of(split: str, texts: Sequence[str]) -> list[str]:
    """Those of a label's wordings that the split uses: a fourth is held out, by its checksum."""
    held = [text for text in texts if crc32(text.encode()) % _HELD_OUT_LABELS == 0]
    kept = [text for text in texts if (text in held) is (split == HELD_OUT)]
    return kept or list(texts)

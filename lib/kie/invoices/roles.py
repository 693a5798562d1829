"""Which role a heading gives to the lines below or beside it: seller, buyer, or where goods go."""

from __future__ import annotations

from enum import StrEnum

from lib.kie.invoices.address_blocks import AddressBlock
from lib.kie.invoices.labels import FieldLabel
from lib.kie.invoices.reading import Reading
from lib.kie.layout import Cell

_SUB_LABELS = frozenset({"party_name", "party_address"})
_SUB_LABEL_WORDS = 2
_REACH = 9  # rows between a heading and a sub-label such as "Name:" below it
_NEAR_REACH = 2  # rows between a heading and the first line of its block
_NEAR_GAP = 3.5  # letter heights between the two
_INDENT = 6.0  # letter heights between their left edges


class Role(StrEnum):
    """What a party does in the transaction."""

    VENDOR = "vendor"
    CUSTOMER = "customer"
    SHIPPING = "shipping"


ROLE_FIELDS = {
    "vendor_name": Role.VENDOR,
    "vendor_address": Role.VENDOR,
    "customer_name": Role.CUSTOMER,
    "customer_address": Role.CUSTOMER,
    "shipping_address": Role.SHIPPING,
}


def heading_of(reading: Reading, block: AddressBlock) -> FieldLabel | None:
    """The label of a role above a block or left of its first line, or of its "Name:"."""
    for cell in block.lines[:2]:
        own = _role_label(reading, cell)
        if own:
            return own
        left = reading.layout.row_of(cell).cells_left_of(cell)
        if left:
            found = _role_label(reading, left[-1])
            if found and not _has_own_lines(reading, found.cell):
                return found
            sub_label = reading.labels.leading_cues(left[-1]) & _SUB_LABELS
            if sub_label and len(left[-1].line.words) <= _SUB_LABEL_WORDS:
                return _role_above(reading, left[-1], _REACH)
    return _role_above(reading, block.first, _NEAR_REACH)


def _has_own_lines(reading: Reading, heading: Cell) -> bool:
    """Whether text stands right below a heading: then what is beside it has another one."""
    height = reading.layout.page_of(heading).letter_height
    return any(
        abs(other.box.x0 - heading.box.x0) < height
        and other.box.y0 - heading.box.y1 < height
        and not reading.labels.opening(other)
        for other in reading.layout.below(heading.box, heading.row, 1)
    )


def _role_label(reading: Reading, cell: Cell) -> FieldLabel | None:
    roles = [
        label
        for label in reading.labels.opening(cell)
        if label.field in ROLE_FIELDS and is_set_off(label)
    ]
    return max(roles, key=lambda label: label.strength, default=None)


def is_set_off(label: FieldLabel) -> bool:
    """Whether a label is one and not the beginning of a name: "Lieferant GmbH" is a name.

    "Cliente / Razón social" goes on with another word for the same.
    """
    behind = label.cell.text[label.span.end :].lstrip()
    return label.alone or behind[:1] in (":", "/") or " " in label.span.text


def _role_above(reading: Reading, cell: Cell, reach: int) -> FieldLabel | None:
    """The nearest label of a role above the cell, left-aligned with it or over it."""
    height = reading.layout.page_of(cell).letter_height
    for other in reading.layout.above(cell.box, cell.row, reach):
        label = _role_label(reading, other)
        if label and abs(other.box.x0 - cell.box.x0) < _INDENT * height:
            return label
        if reach <= _NEAR_REACH and cell.box.y0 - other.box.y1 > _NEAR_GAP * height:
            return None
    return None

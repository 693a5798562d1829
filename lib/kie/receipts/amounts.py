"""Amounts of a receipt with the labels beside them, and what each label makes of its amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lib.kie.layout import Cell, Row
from lib.kie.lexicon import LabelMatch
from lib.kie.mentions import AmountMention, LabelMention, Mentions


class Role(StrEnum):
    """What a label says about the amount beside it."""

    TOTAL = "total"
    SUBTOTAL = "subtotal"
    TAX = "tax"
    PAID = "paid"
    CHANGE = "change"
    ROUNDING = "rounding"
    DISCOUNT = "discount"
    TIP = "tip"
    SERVICE = "service"
    COUNT = "count"
    POINTS = "points"
    SUMMARY = "summary"
    AMOUNT = "amount"


# Names of the lexicon, strongest meaning first: "total qty" is a count although it holds "total".
_LABEL_REACH = 40  # characters of a row that can be its label
_MARK_LETTERS = 3  # a currency code or a mark before a label
# What tills print alone before an amount where the row has no room for words.
_TILL_MARKS = {"ST": Role.SUBTOTAL, "S/T": Role.SUBTOTAL, "TL": Role.TOTAL, "TTL": Role.TOTAL}
_ROLES: tuple[tuple[Role, frozenset[str]], ...] = (
    (Role.COUNT, frozenset({"item_count"})),
    (Role.POINTS, frozenset({"points"})),
    (Role.SUMMARY, frozenset({"tax_summary"})),
    (Role.CHANGE, frozenset({"change"})),
    (Role.ROUNDING, frozenset({"rounding"})),
    (Role.TIP, frozenset({"tip"})),
    (Role.SERVICE, frozenset({"service_charge"})),
    (Role.SUBTOTAL, frozenset({"subtotal"})),
    (Role.TAX, frozenset({"tax_total", "tax"})),
    (Role.TOTAL, frozenset({"total", "amount_due"})),
    (
        Role.PAID,
        frozenset({"cash", "card", "tender", "other_payment", "amount_paid"}),
    ),
    (Role.DISCOUNT, frozenset({"discount", "discount_total", "savings"})),
)


def role_of(match: LabelMatch) -> Role | None:
    """The role of a phrase, or None for one that says nothing about amounts."""
    names = match.fields | match.cues
    return next((role for role, known in _ROLES if names & known), None)


@dataclass(frozen=True, eq=False)
class LabelledAmount:
    """An amount and the label on its row, or the one close above it when its row has none.

    `roles` in reading order, the first is the head: in "GST included in total" it is TAX.
    `position` counts the row's amounts from the left, `following` how many stand right of it.
    """

    mention: AmountMention
    row: Row
    roles: tuple[Role, ...]
    labels: tuple[LabelMention, ...]
    label_text: str
    from_above: bool
    position: int
    following: int

    @property
    def head(self) -> Role | None:
        """The first role."""
        return self.roles[0] if self.roles else None


def labelled_amounts(mentions: Mentions) -> tuple[LabelledAmount, ...]:
    """All amounts but percentages, row by row, with their labels."""
    found: list[LabelledAmount] = []
    for row in mentions.layout.rows:
        amounts = [a for a in mentions.row_amounts(row) if not a.match.percent]
        for position, amount in enumerate(amounts):
            found.append(_label(mentions, row, amounts, position, amount))
    return tuple(found)


def _label(
    mentions: Mentions,
    row: Row,
    amounts: Sequence[AmountMention],
    position: int,
    amount: AmountMention,
) -> LabelledAmount:
    previous = amounts[position - 1] if position else None
    labels = _between(mentions, row, previous, amount)
    if previous is not None and (not _roles(labels) or _is_aside(previous, labels)):
        labels = _between(mentions, row, None, amount)
    from_above = False
    if not _roles(labels) and not _words_left_of(row, amount):
        above = _above(mentions, row, amount)
        if _roles(above):
            labels, from_above = above, True
    roles = _roles(_without_count(labels))
    if not roles and not position:
        roles = _plain_role(mentions, row, amount)
    if roles and roles[0] is Role.ROUNDING and amount.match.decimals and abs(amount.value) >= 1:
        roles = (Role.TOTAL, *roles[1:])  # cash rounding is under one unit: this is what it led to
    return LabelledAmount(
        amount,
        row,
        roles,
        tuple(label for label in labels if role_of(label.match)),
        " ".join(label.span.text for label in labels if role_of(label.match)),
        from_above,
        position,
        len(amounts) - position - 1,
    )


def _is_aside(count: AmountMention, labels: Sequence[LabelMention]) -> bool:
    """Whether a number and what it counts stand in brackets: "Total (6 articles)  16.22"."""
    before = count.cell.text[: count.span.start]
    return (
        _roles(labels) == (Role.COUNT,)
        and labels[0].span.cell is count.cell
        and before.rstrip().endswith("(")
    )


def _without_count(labels: Sequence[LabelMention]) -> Sequence[LabelMention]:
    """The labels without a count that is a cell of its own: "7 Items | Subtotal | 8.57"."""
    behind = [label for label in labels if label.span.cell is not labels[0].span.cell]
    if behind and role_of(labels[0].match) is Role.COUNT and _roles(behind):
        return behind
    return labels


def _plain_role(mentions: Mentions, row: Row, amount: AmountMention) -> tuple[Role, ...]:
    """The role of an amount whose row says nothing but "Amount", or a till's short mark."""
    before = [cell.text for cell in row.cells_left_of(amount.span.cell)]
    before.append(amount.span.cell.text[: amount.span.start])
    text = " ".join(before).strip(" .:$*")
    words = text.split()
    if len(words) in (1, 2) and text.isupper() and words[-1] in _TILL_MARKS:
        return (_TILL_MARKS[words[-1]],)
    labels = [la.match for la in _between(mentions, row, None, amount)]
    plain = [la for la in labels if "amount" in la.columns and not (la.fields or la.cues)]
    return (Role.AMOUNT,) if len(plain) == len(labels) == 1 and len(words) <= 2 else ()


def _roles(labels: Sequence[LabelMention]) -> tuple[Role, ...]:
    roles = (role_of(label.match) for label in labels)
    return tuple(role for role in roles if role is not None)


def _between(
    mentions: Mentions, row: Row, previous: AmountMention | None, amount: AmountMention
) -> tuple[LabelMention, ...]:
    """Labels of the row behind `previous` and before `amount`."""
    after = _place(previous) if previous else (-1, -1)
    until = _place(amount)
    return tuple(
        label
        for label in mentions.row_labels(row)
        if after < (label.span.cell.column, label.span.start) < until
    )


def _place(amount: AmountMention) -> tuple[int, int]:
    return amount.span.cell.column, amount.span.start


def _words_left_of(row: Row, amount: AmountMention) -> bool:
    """Whether letters other than a currency stand left of the amount on its row."""
    before = amount.span.cell.text[: amount.span.start]
    texts = [cell.text for cell in row.cells_left_of(amount.span.cell)] + [before]
    return sum(c.isalpha() for text in texts for c in text) > 3


def _above(mentions: Mentions, row: Row, amount: AmountMention) -> tuple[LabelMention, ...]:
    """Labels of the nearest row within a line's height that has labels and no amount of its own.

    On crumpled or slanted paper a label and its amount do not always share a row, and some tills
    print the label over the amount.
    """
    page_number, height = row.page_number, amount.box.height
    for index in (row.index - 1, row.index + 1):
        if not 0 <= index < len(mentions.layout.rows):
            continue
        other = mentions.layout.rows[index]
        gap = -other.box.overlap_y(row.box)
        if other.page_number != page_number or gap > 0.8 * height:
            continue
        if any(a.is_money for a in mentions.row_amounts(other)) or _is_header(mentions, other):
            continue
        labels = tuple(_labels_left(mentions, other, amount.span.cell))
        if _roles(labels):
            return labels
    return ()


def _is_header(mentions: Mentions, row: Row) -> bool:
    """Whether the row heads a table: phrases of two different columns."""
    heads = [label.match.columns for label in mentions.row_labels(row) if label.match.columns]
    return len(heads) > 1 and len(set(heads)) > 1


def _labels_left(mentions: Mentions, row: Row, cell: Cell) -> list[LabelMention]:
    return [label for label in mentions.row_labels(row) if label.span.box.x0 < cell.box.x1]


def leads_its_row(amount: LabelledAmount) -> bool:
    """Whether the label opens the row and is much of its text: "Total", not "Organic rnd beans"."""
    if amount.from_above or not amount.labels:
        return False
    text = amount.row.text[:_LABEL_REACH]
    first = amount.labels[0].span
    before = sum(map(str.isalpha, first.cell.text[: first.start]))
    labelled = sum(c.isalpha() for label in amount.labels for c in label.span.text)
    letters = sum(map(str.isalpha, text))
    return first.cell.column == 0 and before <= _MARK_LETTERS and labelled >= 0.3 * letters


def is_count_of_all(amount: LabelledAmount) -> bool:
    """Whether the row counts what was bought ("Total Qty 3") rather than being one of the items."""
    return amount.head is Role.COUNT and "not_total" in amount.labels[0].match.cues

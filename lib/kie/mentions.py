"""What is printed in each cell: labels, amounts, dates and times, found once with their places."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from lib.domain.document import PageSource
from lib.domain.extraction import Candidate, Source
from lib.kie.boxes import Box
from lib.kie.layout import Cell, Layout, Row, Span
from lib.kie.lexicon import LabelMatch, Lexicon
from lib.values.amounts import (
    AmountMatch,
    decimal_mark_of,
    find_amounts,
    grouping_of_whole_units,
    prefer,
)
from lib.values.dates import DateMatch, TimeMatch, find_dates, find_times

_PRICES = re.compile(r"(?P<sign>\$ ?)?(?<![\d.,])(?P<digits>\d[\d,]*\.\d\d)(?!\d)")
_LIKE_A_DOLLAR = "8"  # what OCR makes of "$"


@dataclass(frozen=True, slots=True)
class LabelMention:
    """A label phrase in its place."""

    span: Span
    match: LabelMatch


@dataclass(frozen=True, eq=False)
class AmountMention:
    """An amount in its place. Its first reading follows the document's decimal mark.

    `in_whole_units`: the document prints money without decimals, and this number is grouped so.
    """

    span: Span
    match: AmountMatch
    in_whole_units: bool = False

    @property
    def value(self) -> Decimal:
        """The likeliest reading, with its sign."""
        return self.match.value

    @cached_property
    def box(self) -> Box:
        """Where the digits lie."""
        return self.span.box

    @property
    def cell(self) -> Cell:
        """The cell that it is printed in."""
        return self.span.cell

    @property
    def is_money(self) -> bool:
        """Printed with decimals, with a currency or grouped as whole units, and no percentage."""
        return not self.match.percent and bool(
            self.match.decimals or self.match.currency or self.match.symbol or self.in_whole_units
        )

    @property
    def is_exact(self) -> bool:
        """Printed down to the smallest unit that the document's money has."""
        return self.match.decimals > 0 or (self.in_whole_units and self.is_money)


@dataclass(frozen=True, slots=True)
class DateMention:
    """A date in its place, with its readings."""

    span: Span
    match: DateMatch


@dataclass(frozen=True, slots=True)
class TimeMention:
    """A time of day in its place."""

    span: Span
    match: TimeMatch


class Mentions:
    """The mentions of a laid-out document. `language` steers the names of months."""

    def __init__(self, layout: Layout, lexicon: Lexicon, language: str | None = None) -> None:
        self.layout = layout
        self.lexicon = lexicon
        self.language = language
        self._amounts: dict[int, tuple[AmountMention, ...]] = {}
        self._dates: dict[int, tuple[DateMention, ...]] = {}
        self._labels: dict[int, tuple[LabelMention, ...]] = {}
        self._row_amounts: dict[int, tuple[AmountMention, ...]] = {}
        self._row_labels: dict[int, tuple[LabelMention, ...]] = {}

    @cached_property
    def decimal_mark(self) -> str | None:
        """The document's decimal mark by its unambiguous amounts, or None."""
        return decimal_mark_of([cell.text for cell in self.layout.cells])

    @cached_property
    def grouping(self) -> str | None:
        """The sign that groups thousands where money is printed in whole units, or None."""
        return grouping_of_whole_units([cell.text for cell in self.layout.cells])

    def labels(self, cell: Cell) -> tuple[LabelMention, ...]:
        """Label phrases of a cell, left to right."""
        found = self._labels.get(cell.index)
        if found is None:
            found = tuple(
                LabelMention(Span(cell, match.start, match.end), match)
                for match in self.lexicon.find(cell.text)
                if self._is_believed(match)
            )
            self._labels[cell.index] = found
        return found

    def _is_believed(self, match: LabelMatch) -> bool:
        """Whether a phrase is well enough spelled to be of another language than the document's.

        "Tuna" is not the Malay "tunai" on an English receipt, but "TUNAI" is.
        """
        if self.language is None or match.languages & {self.language, "world"}:
            return True
        return match.score >= 0.9 and match.end - match.start >= 4

    def row_labels(self, row: Row) -> tuple[LabelMention, ...]:
        """Label phrases of a row's cells, left to right."""
        found = self._row_labels.get(row.index)
        if found is None:
            found = tuple(label for cell in row.cells for label in self.labels(cell))
            self._row_labels[row.index] = found
        return found

    def amounts(self, cell: Cell) -> tuple[AmountMention, ...]:
        """Amounts of a cell, percentages included, left to right."""
        found = self._amounts.get(cell.index)
        if found is None:
            found = tuple(
                AmountMention(
                    Span(cell, match.start, match.end),
                    prefer(match, self.decimal_mark),
                    self.grouping is not None
                    and self.grouping in cell.text[match.start : match.end],
                )
                for match in (self._amounts_in(cell.text) if _has_digit(cell.text) else ())
            )
            self._amounts[cell.index] = found
        return found

    def _amounts_in(self, text: str) -> Iterator[AmountMatch]:
        """Amounts of a text; the 8 of "83.21" is its dollar sign where "$3.21" is printed too."""
        for match in find_amounts(text):
            digits = text[match.start + 1 : match.end]
            if text[match.start] in _LIKE_A_DOLLAR and digits in self._dollars:
                own = find_amounts(digits)[0]
                at = match.start + 1
                yield replace(own, start=own.start + at, end=own.end + at)
            else:
                yield match

    @cached_property
    def _dollars(self) -> frozenset[str]:
        """The amounts behind dollar signs as OCR read them; none where few have one."""
        read = [page for page in self.layout.pages if page.page.source is PageSource.OCR]
        prices = [found for page in read for c in page.cells for found in _PRICES.finditer(c.text)]
        signed = [found["digits"] for found in prices if found["sign"]]
        return frozenset(signed if 3 * len(signed) > len(prices) else ())

    def row_amounts(self, row: Row) -> tuple[AmountMention, ...]:
        """Amounts of a row's cells, left to right."""
        found = self._row_amounts.get(row.index)
        if found is None:
            found = tuple(amount for cell in row.cells for amount in self.amounts(cell))
            self._row_amounts[row.index] = found
        return found

    @cached_property
    def all_amounts(self) -> tuple[AmountMention, ...]:
        """Amounts of the document, row by row."""
        return tuple(amount for row in self.layout.rows for amount in self.row_amounts(row))

    @cached_property
    def price_decimals(self) -> int:
        """How many decimals the document's money has: mostly 2, none for rupiah and yen."""
        money = Counter(a.match.decimals for a in self.all_amounts if a.is_money)
        return money.most_common(1)[0][0] if money else 0

    def is_price(self, amount: AmountMention) -> bool:
        """Whether an amount is money as the document prints it: not the 0.5 of "0.5 l"."""
        decimals = amount.match.decimals
        named = bool(amount.match.symbol) and decimals > 0
        return amount.is_money and (decimals in (self.price_decimals, 3) or named)

    def dates(self, cell: Cell) -> tuple[DateMention, ...]:
        """Dates of a cell, left to right."""
        found = self._dates.get(cell.index)
        if found is None:
            found = tuple(
                DateMention(Span(cell, match.start, match.end), match)
                for match in (find_dates(cell.text, self.language) if _has_digit(cell.text) else ())
            )
            self._dates[cell.index] = found
        return found

    @cached_property
    def all_dates(self) -> tuple[DateMention, ...]:
        """Dates of the document, row by row."""
        return tuple(date for cell in self.layout.cells for date in self.dates(cell))

    @cached_property
    def all_times(self) -> tuple[TimeMention, ...]:
        """Times of day of the document, row by row."""
        return tuple(
            TimeMention(Span(cell, match.start, match.end), match)
            for cell in self.layout.cells
            if _has_digit(cell.text)
            for match in find_times(cell.text)
        )

    def candidate(
        self, spans: Sequence[Span], score: float, label: str = "", raw: str | None = None
    ) -> Candidate:
        """A candidate made of spans of one page, joined by one space as printed.

        `score` is cut to 0..1. `raw` replaces the joined text where the join is known to differ.
        """
        cell = spans[0].cell
        page = self.layout.page_of(cell).page
        source = Source.TEXT_LAYER if page.source is PageSource.TEXT_LAYER else Source.OCR
        text = raw if raw is not None else " ".join(span.text.strip() for span in spans)
        words = tuple(word for span in spans for word in span.words)
        return Candidate(text, min(1.0, max(0.0, score)), source, page.number, words, label=label)


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))

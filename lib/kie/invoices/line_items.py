"""Line items as table rows of candidates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lib.domain.extraction import Candidate
from lib.kie.invoices.labels import Labels
from lib.kie.invoices.table_body import RunningSum, read_body
from lib.kie.invoices.table_codes import codes_of
from lib.kie.invoices.table_descriptions import Item, Piece
from lib.kie.invoices.table_header import ITEM_COLUMNS, Header, find_headers
from lib.kie.invoices.table_headerless import read_headerless
from lib.kie.invoices.table_roles import Printed, roles_of
from lib.kie.layout import Layout, Span
from lib.kie.mentions import Mentions
from lib.values.amounts import parse_amount

_SCORE = 0.85
_LETTER = re.compile(r"^\(?([A-Z]\d?|\d)\)?(?:\s*[=:)]|\s|$)")  # "A = VAT 20 %", "1  19 %"
_POSITION = re.compile(r"^[^\w]*\d{1,4}(?:\.\d{1,3})*[^\w]*$")
_LONGEST_UNIT = 10  # letters; more is a description that slid under the unit's header
_QUANTITY_UNIT = re.compile(r"^\s*([-+]?\d[\d.,' ]*)\s*([^\d\s].*)?$")


Cells = dict[str, Candidate]


class LineItems:
    """The table of items: `rows` of candidates, and the layout rows that it covers."""

    def __init__(self, layout: Layout, mentions: Mentions, labels: Labels) -> None:
        self._layout = layout
        self._mentions = mentions
        self._labels = labels
        items, covered = self._read()
        if not items:
            items, more = read_headerless(layout, mentions, labels)
            covered |= more
        self._legend = _legend(layout, mentions, covered)
        roles = self._roles(items, covered)
        codes = codes_of(items, mentions) if "product_code" not in roles.values() else []
        rows = [self._row(item, roles) for item in items]
        for row, found in zip(rows, codes, strict=False):
            if found:
                code, rest = found
                row["product_code"] = self._candidate([code])
                row["description"] = self._description(rest)
        self.rows = self._columns_told_apart(rows)
        self.covered = frozenset(covered)

    def _roles(self, items: Sequence[Item], covered: set[int]) -> dict[str, str]:
        """The role of each column that the items have cells in."""
        keys = dict.fromkeys(name for item in items for name in item.cells)
        texts: dict[str, list[str | None]] = {
            key: [item.cells[key].span.text if key in item.cells else None for item in items]
            for key in keys
        }
        texts["amount"] = [item.anchor.span.text for item in items]
        if any(item.description for item in items):
            texts["description"] = [None for _ in items]
        rates = frozenset(
            amount.value
            for row in self._layout.rows
            if row.index not in covered
            for amount in self._mentions.row_amounts(row)
            if amount.match.percent
        )
        printed = Printed(rates, frozenset(self._legend))
        return roles_of(texts, self._mentions.decimal_mark, printed)

    def _read(self) -> tuple[list[Item], set[int]]:
        """Tables under headers; a page without one continues the table that had not ended."""
        headers = find_headers(self._layout, self._mentions, self._labels)
        items: list[Item] = []
        covered: set[int] = set()
        open_header: Header | None = None
        reader, sums = (self._layout, self._mentions, self._labels), RunningSum()
        for page in self._layout.pages:
            own = [header for header in headers if header.page_number == page.page.number]
            starts = [(header, header.last_row + 1) for header in own]
            if open_header and page.rows:
                starts.insert(0, (open_header, page.rows[0].index))
            for index, (header, start) in enumerate(starts):
                end = starts[index + 1][0].first_row if index + 1 < len(starts) else None
                rows = [r for r in page.rows if r.index >= start and (end is None or r.index < end)]
                body = read_body(reader, header, rows, sums)
                if items and body.items and not any(map(_says_what, body.items)):
                    continue  # sums in boxes: "Subtotal", "Service tax", "Total"
                if header.page_number == page.page.number:
                    covered |= set(range(header.first_row, header.last_row + 1))
                items.extend(body.items)
                covered |= body.rows
                open_header = None if body.ended else header
        return items, covered

    def _row(self, item: Item, roles: Mapping[str, str]) -> dict[str, Candidate]:
        row: dict[str, Candidate] = {}
        lines = [piece.span for piece in item.description]
        if lines := [span for span in lines if any(map(str.isalnum, span.text))]:
            row["description"] = self._description(lines)
        for key, piece in {"amount": item.anchor, **item.cells}.items():
            name = roles.get(key, "")
            if name in ITEM_COLUMNS and name not in row:
                row.update(self._cell(name, piece))
        row.setdefault("amount", self._candidate([item.anchor.span]))
        if (
            "description" not in row
            and len(row["unit"].raw if "unit" in row else "") > _LONGEST_UNIT
        ):
            row["description"] = row.pop("unit")
        return row

    def _columns_told_apart(self, rows: list[Cells]) -> tuple[Cells, ...]:
        """Columns whose header has two meanings, by what stands in them."""
        rows = _codes_apart(rows)
        if self._are_tax_amounts(rows):
            rows = [{name: c for name, c in row.items() if name != "tax_rate"} for row in rows]
        return tuple(rows)

    def _are_tax_amounts(self, rows: list[Cells]) -> bool:
        """Whether "VAT" heads amounts: with money in it that changes with the line's amount."""
        mark = self._mentions.decimal_mark
        pairs = []
        for row in rows:
            tax = parse_amount(row["tax_rate"].raw, mark) if "tax_rate" in row else None
            amount = parse_amount(row["amount"].raw, mark)
            if tax is None or amount is None or tax.percent or not amount.value:
                continue
            pairs.append((tax.value, amount.value))
        rates = {round(100 * tax / amount) for tax, amount in pairs}
        values = {tax for tax, _ in pairs}
        return len(pairs) > 1 and len(values) > len(rates)

    def _description(self, lines: Sequence[Span]) -> Candidate:
        first, *rest = lines
        if not rest:
            return self._candidate([first.stripped(" \t:;,")])
        return self._candidate([first, *rest[:-1], rest[-1].stripped(" \t:;,")])

    def _cell(self, name: str, piece: Piece) -> dict[str, Candidate]:
        """A cell's candidates; a quantity printed with its unit gives both."""
        if name == "tax_rate" and (rate := self._legend.get(piece.span.text.strip())):
            return {name: self._candidate([rate])}
        if name != "quantity":
            return {name: self._candidate([piece.span])}
        match = _QUANTITY_UNIT.match(piece.span.text)
        if not match:
            return {}
        found = {name: self._candidate([self._part(piece.span, match, 1)])}
        if match[2]:
            found["unit"] = self._candidate([self._part(piece.span, match, 2)])
        return found

    def _part(self, span: Span, match: re.Match[str], group: int) -> Span:
        start, end = match.span(group)
        return Span(span.cell, span.start + start, span.start + end).stripped(" ")

    def _candidate(self, spans: Sequence[Span]) -> Candidate:
        return self._mentions.candidate(spans, _SCORE)


def _says_what(item: Item) -> bool:
    """Whether an item's description has words."""
    return any(c.isalpha() for piece in item.description for c in piece.span.text)


def _legend(layout: Layout, mentions: Mentions, covered: set[int]) -> dict[str, Span]:
    """Letters that stand for tax rates in the lines, and where the sums say for which.

    At the start of a row, or of a box in a strip of sums.
    """
    found: dict[str, Span] = {}
    for row in layout.rows:
        if row.index in covered:
            continue
        for cell in row.cells:
            match = _LETTER.match(cell.text)
            amounts = mentions.amounts(cell)
            if match and cell is row.cells[0]:
                amounts = mentions.row_amounts(row)
            rates = [amount for amount in amounts if amount.match.percent]
            if match and rates:
                found.setdefault(match[1], rates[0].span)
    return found


def _codes_apart(rows: list[Cells]) -> list[Cells]:
    """Positions that are no small numbers are codes: "Item" heads either."""
    positions = [row["position"].raw for row in rows if "position" in row]
    numbers = sum(bool(_POSITION.match(raw)) for raw in positions)
    if not positions or 2 * numbers >= len(positions):
        return rows
    if any("product_code" in row for row in rows):
        return [{name: cell for name, cell in row.items() if name != "position"} for row in rows]
    return [
        {"product_code" if name == "position" else name: cell for name, cell in row.items()}
        for row in rows
    ]

"""The line table of an invoice: column sets, headers, wraps, page breaks with carried sums."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from synthetic.bill import ZERO, Item

if TYPE_CHECKING:
    from synthetic.invoice_layout import InvoiceLayout

SHAPES = (
    ("description", "quantity", "unit_price", "amount"),
    ("position", "description", "quantity", "unit", "unit_price", "amount"),
    ("code", "description", "quantity", "unit_price", "amount"),
    ("quantity", "unit", "description", "unit_price", "amount"),
    ("position", "code", "description", "quantity", "unit", "unit_price", "tax_rate", "amount"),
    ("description", "quantity", "unit_price", "tax_rate", "amount"),
    ("quantity", "code", "description", "unit_price", "amount"),
    ("description", "amount"),
    ("code", "description", "unit", "quantity", "unit_price", "amount"),
)
WIDTHS = {
    "position": 28,
    "code": 58,
    "quantity": 48,
    "unit": 42,
    "unit_price": 66,
    "line_discount": 52,
    "tax_rate": 44,
    "amount": 72,
}
NUMERIC = {"quantity", "unit_price", "line_discount", "tax_rate", "amount"}


@dataclass(frozen=True)
class Column:
    key: str
    x0: float
    x1: float

    @property
    def right(self) -> bool:
        return self.key in NUMERIC


class InvoiceTable:
    """Draws the lines of `layout.bill` and notes them."""

    def __init__(self, layout: InvoiceLayout) -> None:
        self.layout, self.chance, self.country = layout, layout.chance, layout.country
        bill = layout.bill
        keys = list(self.chance.choice(SHAPES))
        if len({item.rate for item in bill.items}) > 1 and "tax_rate" not in keys:
            keys.insert(-1, "tax_rate")
        if any(item.discount for item in bill.items) and "unit_price" in keys:
            keys.insert(keys.index("unit_price") + 1, "line_discount")
        if not bill.taxes and "tax_rate" in keys:
            keys.remove("tax_rate")
        self.whole_quantity = "quantity" in keys
        self.columns = self._placed(keys)
        self.ruled = self.chance.choice(("lines", "boxes", "head", "none", "bands"))
        self.size = min(layout.size, 9.0)
        self.step = self.size * self.chance.uniform(1.5, 2.1)
        self.with_sign = self.chance.random() < 0.12
        self.percent = self.chance.choice(("%", " %", ""))
        self.codes_below = "code" not in keys and self.chance.random() < 0.15
        self.carries = self.chance.random() < 0.6

    def _placed(self, keys: list[str]) -> list[Column]:
        free = self.layout.right - self.layout.left - sum(WIDTHS.get(key, 0) for key in keys)
        columns, x = [], self.layout.left
        for key in keys:
            width = WIDTHS.get(key, free)
            columns.append(Column(key, x, x + width))
            x += width
        return columns

    def draw(self, y: float) -> float:
        """Draw from `y` down, over as many pages as it takes; returns where it ended."""
        y = self._head(y)
        carried = ZERO
        for number, item in enumerate(self.layout.bill.items, start=1):
            lines = self._description(item)
            if y + self.step * (len(lines) + 1) > self.layout.bottom:
                y = self._break(y, carried)
            y = self._row(y, number, item, lines)
            carried += item.amount
        if self.ruled in {"lines", "head", "boxes"}:
            self.layout.sheet.rule(self.layout.left, y - 4, self.layout.right, y - 4)
        return y

    def _head(self, y: float) -> float:
        layout, sheet = self.layout, self.layout.sheet
        heads = {column.key: self._heading(column) for column in self.columns}
        height = max(map(len, heads.values())) * (self.size + 2) + 6
        light = self.ruled == "bands"
        if light:
            sheet.band(layout.left, y, layout.right, y + height, layout.accent)
        for column in self.columns:
            for index, line in enumerate(heads[column.key]):
                self._cell(
                    column,
                    y + self.size + 2 + index * (self.size + 2),
                    line,
                    bold=True,
                    colour=(255, 255, 255) if light else (0, 0, 0),
                )
        if self.ruled in {"lines", "head"}:
            sheet.rule(layout.left, y + height, layout.right, y + height)
        elif self.ruled == "boxes":
            for column in self.columns:
                sheet.box(column.x0, y, column.x1, y + height)
        return y + height + self.size + 3

    def _heading(self, column: Column) -> list[str]:
        text = self.layout.label(column.key)
        return self.layout.sheet.wrap(text, self.size, column.x1 - column.x0 - 4) or [""]

    def _cell(
        self,
        column: Column,
        y: float,
        text: str,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        sheet = self.layout.sheet
        if column.right:
            sheet.text(column.x1 - 3, y, text, self.size, bold=bold, align="R", colour=colour)
        else:
            sheet.text(column.x0 + 3, y, text, self.size, bold=bold, colour=colour)

    def _description(self, item: Item) -> list[str]:
        column = next(column for column in self.columns if column.key == "description")
        return self.layout.sheet.wrap(item.description, self.size, column.x1 - column.x0 - 8)

    def _row(self, y: float, number: int, item: Item, lines: list[str]) -> float:
        values = self._values(number, item)
        top = y - self.size - 2
        for column in self.columns:
            if column.key != "description":
                self._cell(column, y, values[column.key])
                continue
            for index, line in enumerate(lines):
                self._cell(column, y + index * (self.size + 2.5), line)
        y += self.step + (len(lines) - 1) * (self.size + 2.5)
        if self.ruled == "boxes":
            for column in self.columns:
                self.layout.sheet.box(column.x0, top, column.x1, y - self.size - 2)
        self._note(number, item)
        return y

    def _values(self, number: int, item: Item) -> dict[str, str]:
        country = self.country
        amount, price = country.number(item.amount), country.number(item.unit_price)
        if self.with_sign:
            amount = country.with_sign(item.amount, self.layout.sign)
            price = country.with_sign(item.unit_price, self.layout.sign)
        return {
            "position": str(number),
            "code": item.code,
            "quantity": country.quantity(item.quantity),
            "unit": item.unit,
            "unit_price": price,
            "line_discount": country.number(item.discount) if item.discount else "",
            "tax_rate": f"{country.quantity(item.rate)}{self.percent}",
            "amount": amount,
        }

    def _note(self, number: int, item: Item) -> None:
        keys = {column.key for column in self.columns}
        shown: dict[str, Decimal | str | None] = {
            "position": str(number) if "position" in keys else None,
            "product_code": item.code if "code" in keys else None,
            "quantity": item.quantity if "quantity" in keys else None,
            "unit": item.unit if "unit" in keys else None,
            "unit_price": item.unit_price if "unit_price" in keys else None,
            "discount": item.discount if "line_discount" in keys and item.discount else None,
            "tax_rate": item.rate if "tax_rate" in keys else None,
        }
        self.layout.truth.row(description=item.description, amount=item.amount, **shown)

    def _break(self, y: float, carried: Decimal) -> float:
        last = self.columns[-1]
        text = self.country.number(carried)
        if self.carries:
            self.layout.sheet.text(
                last.x0 - 12, y + 4, self.layout.label("carried"), self.size, align="R"
            )
            self._cell(last, y + 4, text, bold=True)
        y = self._head(self.layout.start_page())
        if self.carries:
            self.layout.sheet.text(
                last.x0 - 12, y, self.layout.label("brought"), self.size, align="R"
            )
            self._cell(last, y, text, bold=True)
            y += self.step
        return y

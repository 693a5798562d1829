"""The line table of an invoice: columns, headings, wraps, codes, groups, carried sums."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from synthetic.bill import HUNDRED, ZERO, Item

if TYPE_CHECKING:
    from synthetic.invoice_layout import InvoiceLayout

WIDTHS = {
    "position": 28,
    "code": 58,
    "quantity": 52,
    "unit": 42,
    "unit_price": 66,
    "line_discount": 52,
    "tax_rate": 44,
    "tax_amount": 58,
    "amount": 72,
    "gross": 72,
}
NUMERIC = {"quantity", "unit_price", "line_discount", "tax_rate", "tax_amount", "amount", "gross"}
LETTERS = "ABCD"
NARROWEST = 90.0  # points for the description


@dataclass(frozen=True)
class Column:
    key: str
    x0: float
    x1: float

    @property
    def right(self) -> bool:
        return self.key in NUMERIC


def tax_letters(layout: InvoiceLayout) -> dict[Decimal, str]:
    """The letter of each of the document's rates."""
    rates = dict.fromkeys(tax.rate for tax in layout.bill.taxes)
    return dict(zip(rates, LETTERS, strict=False))


class InvoiceTable:
    """Draws the lines of `layout.bill` and notes them."""

    def __init__(self, layout: InvoiceLayout) -> None:
        self.layout, self.chance, self.country = layout, layout.chance, layout.country
        self.styles = layout.styles
        keys = self._keys()
        self.columns = self._placed(keys)
        self.code_place = self.styles.codes if "code" not in keys else ""
        self.joined_unit = self.styles.joined_unit and "unit" not in keys and "quantity" in keys
        self.ruled = self.styles.ruling
        self.size = min(layout.size, 9.0)
        self.step = self.size * self.chance.uniform(1.5, 2.1)
        self.percent = self.chance.choice(("%", " %", ""))
        self.carries = self.chance.random() < 0.6

    def _keys(self) -> list[str]:
        """The style's columns, with what the bill needs and without what it has not."""
        bill = self.layout.bill
        keys = list(self.styles.columns)
        if len({item.rate for item in bill.items}) > 1 and "tax_rate" not in keys:
            keys.insert(keys.index("amount"), "tax_rate")
        if any(item.discount for item in bill.items) and "unit_price" in keys:
            keys.insert(keys.index("unit_price") + 1, "line_discount")
        several = len(bill.taxes) != len({tax.rate for tax in bill.taxes})
        without = {"tax_rate", "tax_amount", "gross"}
        if not bill.taxes or bill.inclusive or several:
            keys = [key for key in keys if key not in without - {"tax_rate"}]
        if not bill.taxes or several:
            keys = [key for key in keys if key != "tax_rate"]
        while sum(WIDTHS.get(key, NARROWEST) for key in keys) > self.layout.right - (
            self.layout.left
        ):
            keys.remove(next(k for k in ("unit", "tax_amount", "position", "code") if k in keys))
        return keys

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
        items = self.layout.bill.items
        for number, item in enumerate(items, start=1):
            lines, described = self._description(item)
            group = self.styles.groups and number in {1, len(items) // 2 + 1}
            if y + self.step * (len(lines) + 1 + group) > self.layout.bottom:
                y = self._break(y, carried)
            if group:
                y = self._group(y)
            y = self._row(y, number, item, lines)
            self._note(number, item, described)
            carried += item.amount
        if self.ruled in {"lines", "head", "boxes", "double"}:
            self.layout.sheet.rule(self.layout.left, y - 4, self.layout.right, y - 4)
        if self.ruled == "columns":
            self._verticals(y)
        return y

    def _head(self, y: float) -> float:
        layout, sheet = self.layout, self.layout.sheet
        heads = {column.key: self._heading(column) for column in self.columns}
        height = max(map(len, heads.values())) * (self.size + 2) + 6
        light = self.ruled in {"bands", "zebra"} and self.chance.random() < 0.7
        self.top = y
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
        if self.ruled in {"lines", "head", "double"}:
            sheet.rule(layout.left, y + height, layout.right, y + height)
        if self.ruled == "double":
            sheet.rule(layout.left, y, layout.right, y)
        elif self.ruled == "boxes":
            for column in self.columns:
                sheet.box(column.x0, y, column.x1, y + height)
        return y + height + self.size + 3

    def _verticals(self, y: float) -> None:
        """Rules between the columns from the head down to the last line."""
        for x in (*(column.x0 for column in self.columns), self.layout.right):
            self.layout.sheet.rule(x, self.top, x, y)

    def _heading(self, column: Column) -> list[str]:
        text = self.layout.label(column.key)
        if column.key == "line_discount" and self.styles.percent_discount:
            text += " %"
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

    def _description(self, item: Item) -> tuple[list[str], str]:
        """The lines printed in the description's column, and the description that they hold."""
        column = next(column for column in self.columns if column.key == "description")
        width = column.x1 - column.x0 - 8
        text = item.description
        detail = ""
        if self.styles.details and self.chance.random() < 0.6:
            detail = f"S/N {self.chance.randint(10**6, 10**8)}"
        if self.code_place == "before":
            lines = self._wrap(f"{item.code} {text}", width)
        elif self.code_place == "bracketed":
            lines = self._wrap(f"{text} ({item.code})", width)
        else:
            lines = self._wrap(text, width)
        lines += [detail] if detail else []
        label = self.layout.label("code").rstrip(".:")
        if self.code_place == "below":
            lines.append(item.code)
        elif self.code_place == "labelled":
            lines.append(f"{label}: {item.code}")
        return lines, f"{text} {detail}".strip()

    def _wrap(self, text: str, width: float) -> list[str]:
        return self.layout.sheet.wrap(text, self.size, width)

    def _group(self, y: float) -> float:
        """A bold line over the lines of one kind."""
        column = next(column for column in self.columns if column.key == "description")
        trade = self.chance.choice(self.country.words["parts"]["trade"])
        self._cell(column, y, trade, bold=True)
        return y + self.step

    def _row(self, y: float, number: int, item: Item, lines: list[str]) -> float:
        values = self._values(number, item)
        top = y - self.size - 2
        pitch = self.size + 2.5
        place = {"first": 0.0, "last": len(lines) - 1.0, "middle": (len(lines) - 1) / 2}
        numbers_y = y + pitch * place[self.styles.numbers_at]
        bottom = y + self.step + (len(lines) - 1) * pitch
        if self.ruled == "zebra" and number % 2:
            layout = self.layout
            layout.sheet.band(
                layout.left, top, layout.right, bottom - self.size - 2, (232, 236, 240)
            )
        for column in self.columns:
            if column.key != "description":
                self._cell(column, numbers_y, values[column.key])
                continue
            for index, line in enumerate(lines):
                self._cell(column, y + index * pitch, line)
        if self.ruled == "boxes":
            for column in self.columns:
                self.layout.sheet.box(column.x0, top, column.x1, bottom - self.size - 2)
        return bottom

    def _values(self, number: int, item: Item) -> dict[str, str]:
        country = self.country
        tax = country.round(item.amount * item.rate / HUNDRED)
        money = {
            "amount": item.amount,
            "unit_price": item.unit_price,
            "tax_amount": tax,
            "gross": item.amount + tax,
        }
        shown = {key: country.number(value) for key, value in money.items()}
        if self.styles.signed:
            sign = self.layout.sign
            shown = {key: country.with_sign(value, sign) for key, value in money.items()}
        quantity = country.quantity(item.quantity)
        discount = country.number(item.discount) if item.discount else ""
        if item.discount and self.styles.percent_discount:
            discount = f"{country.quantity(item.discount_rate)}{self.percent or '%'}"
        rate = f"{country.quantity(item.rate)}{self.percent}"
        if self.styles.tax_letters:
            rate = tax_letters(self.layout)[item.rate] if item.rate in self._rates() else rate
        return shown | {
            "position": str(number),
            "code": item.code,
            "quantity": f"{quantity} {item.unit}" if self.joined_unit else quantity,
            "unit": item.unit,
            "line_discount": discount,
            "tax_rate": rate,
        }

    def _rates(self) -> dict[Decimal, str]:
        return tax_letters(self.layout)

    def _note(self, number: int, item: Item, described: str) -> None:
        keys = {column.key for column in self.columns}
        coded = "code" in keys or self.code_place
        shown: dict[str, Decimal | str | None] = {
            "position": str(number) if "position" in keys else None,
            "product_code": item.code if coded else None,
            "quantity": item.quantity if "quantity" in keys else None,
            "unit": item.unit if "unit" in keys or self.joined_unit else None,
            "unit_price": item.unit_price if "unit_price" in keys else None,
            "discount": item.discount if "line_discount" in keys and item.discount else None,
            "tax_rate": item.rate if "tax_rate" in keys else None,
        }
        self.layout.truth.row(description=described, amount=item.amount, **shown)

    def _break(self, y: float, carried: Decimal) -> float:
        amount = next(column for column in self.columns if column.key == "amount")
        text = self.country.number(carried)
        if self.carries:
            self.layout.sheet.text(
                amount.x0 - 12, y + 4, self.layout.label("carried"), self.size, align="R"
            )
            self._cell(amount, y + 4, text, bold=True)
        if self.ruled == "columns":
            self._verticals(y)
        y = self._head(self.layout.start_page())
        if self.carries:
            self.layout.sheet.text(
                amount.x0 - 12, y, self.layout.label("brought"), self.size, align="R"
            )
            self._cell(amount, y, text, bold=True)
            y += self.step
        return y

"""Receipts: lines of a till printer on a paper roll, in the shapes that tills print."""

from __future__ import annotations

import random
from decimal import Decimal

from synthetic.bill import Bill, Item
from synthetic.fonts import Fonts
from synthetic.places import Words
from synthetic.sheet import Sheet
from synthetic.styles import DEVELOPMENT
from synthetic.truth import Truth

MARKS = "ABCD"
SCALES = {"large": 1.25, "huge": 1.8}  # of letters


class ReceiptLayout:
    """Draws one receipt; what it prints is noted in `truth`."""

    def __init__(
        self, bill: Bill, chance: random.Random, fonts: Fonts, split: str = DEVELOPMENT
    ) -> None:
        self.bill, self.chance, self.truth = bill, chance, Truth()
        self.country = bill.country
        names = self.country.facts["tax_names"] or [""]
        self.tax_name = chance.choice(names)
        self.words = Words(
            self.country.words["receipt"],
            chance,
            self.tax_name,
            upper=chance.random() < 0.25,
            split=split,
        )
        self.columns = chance.choice((32, 38, 40, 42, 48))
        self.family = chance.choice(fonts.fixed)
        self.size = chance.choice((7.5, 8.0, 9.0))
        self.leading = self.size * chance.uniform(1.15, 1.5)
        self.sign = chance.choice(self.family.shown(self.country.facts["signs"]))
        self.signs_on_items = chance.random() < 0.2
        self.marks = len({item.rate for item in bill.items}) > 1 or chance.random() < 0.25
        self.codes = chance.choice(("", "", "", "before", "line"))
        self.quantities = chance.choice(("after", "before", "prefix", "prefix", "column"))
        self.times = chance.choice("xxX@*")
        self.after_quantity = chance.choice(("x ", " ", "X "))
        self.item_gap = chance.random() < 0.1
        self.rule_sign = chance.choice("-=*-.-")
        self.printed: list[tuple[str, str, float]] = []  # text, style, height in lines

    def draw(self) -> list[Sheet]:
        self._header()
        self._meta()
        self._rule()
        self._items()
        self._rule()
        self._sums()
        if not self.taxes_done:
            self._tax_block()
        self._footer()
        return [self._sheet()]

    def _add(self, text: str = "", style: str = "", height: float = 1.0) -> None:
        if style == "huge":
            self.printed.append(("", "", SCALES["huge"] - 1))  # its letters reach up
        self.printed.append((text, style, height))

    def _centre(self, text: str, style: str = "", *, room: int = 0) -> None:
        width = room or self.columns
        line = ""
        for word in text.split():
            if line and len(line) + 1 + len(word) > width:
                self._add(self._placed(line), style)
                line = word
            else:
                line = f"{line} {word}".strip()
        self._add(self._placed(line), style)

    def _placed(self, line: str) -> str:
        return line if self.head_left else f"\f{line}"

    def _rule(self) -> None:
        if self.rule_sign != ".":
            self._add(self.rule_sign * self.columns)

    def _pair(self, left: str, right: str, style: str = "") -> None:
        if len(left) + len(right) + 1 > self.columns:
            self._add(left[: self.columns], style)
            left = ""
        self._add(left.ljust(self.columns - len(right)) + right, style)

    def _amount(self, value: Decimal, *, signed: bool = False) -> str:
        return self.country.with_sign(value, self.sign) if signed else self.country.number(value)

    def _header(self) -> None:
        vendor, chance = self.bill.vendor, self.chance
        self.head_left = chance.random() < 0.2
        self._name()
        if chance.random() < 0.9:
            lines = vendor.address_lines if chance.random() < 0.7 else (vendor.address,)
            for line in lines:
                self._centre(line)
            self.truth.note(vendor_address=" ".join(lines))
        if chance.random() < 0.65:
            label = chance.choice(self.country.words["phone"])
            self._centre(f"{label}{chance.choice((': ', ' '))}{vendor.phone}")
            self.truth.note(vendor_phone=vendor.phone)
        self.tax_id_below = chance.random() < 0.2
        self.show_tax_id = chance.random() < 0.7
        if self.show_tax_id and not self.tax_id_below:
            self._tax_id()
        if title := self.words("title"):
            self._add()
            self._centre(title, "bold")
        self._add(height=0.6)

    def _name(self) -> None:
        """The vendor's name, and what is printed around it: greetings, brands, numbers."""
        vendor, chance = self.bill.vendor, self.chance
        name, parts = vendor.name, self.country.words["parts"]
        style = chance.choice(("", "bold", "large", "huge"))
        above, below = chance.random(), chance.random()
        if above < 0.15:
            self._centre(chance.choice(self.words.texts["thanks"]).format(tax=self.tax_name))
        elif above < 0.25:
            self._centre(chance.choice(parts["trade"]).lower())
        elif above < 0.35 and len(name.split()) > 2:
            self._centre(max(name.split(), key=len).upper(), "huge")
            style = ""
        printed = name
        if below < 0.15 and vendor.registration:
            printed = f"{name} ({vendor.registration[1]})"
        self._centre(printed, style, room=self.columns // 2 + (0 if style == "huge" else 6))
        self.truth.note(vendor_name=name)
        if 0.15 < below < 0.25 and vendor.registration:
            self._centre(" ".join(vendor.registration))
        elif 0.25 < below < 0.35:
            self._centre(" & ".join(chance.sample(parts["trade"], 2)))
        elif 0.35 < below < 0.42:
            self._centre(f"# {chance.randint(2, 4000)}")

    def _tax_id(self) -> None:
        vendor = self.bill.vendor
        self._centre(f"{vendor.tax_label}{self.chance.choice((': ', ' '))}{vendor.printed_tax_id}")
        self.truth.note(vendor_tax_id=vendor.tax_id)

    def _meta(self) -> None:
        bill, words, chance = self.bill, self.words, self.chance
        pattern = chance.choice(self.country.facts["dates"])
        day = self.country.date(bill.issued, pattern)
        clock = chance.choice(("%H:%M", "%H:%M", "%H:%M:%S"))
        if self.country.code in {"US", "MY"} and chance.random() < 0.5:
            clock = "%I:%M %p"
        hour = bill.at.strftime(clock)
        glue = chance.choice((": ", " ", ":"))
        number = f"{words('number')}{glue}{bill.number}"
        shape = chance.randrange(3)
        if shape == 0:
            self._pair(f"{day} {hour}", number)
        elif shape == 1:
            self._add(number)
            self._pair(day, hour)
        else:
            label = chance.choice(self.country.words["invoice"]["issue_date"][1:2])
            self._pair(f"{label}{glue}{day}", hour)
            self._add(number)
        self.truth.note(
            document_number=bill.number,
            issue_date=bill.issued,
            issue_time=bill.at.strftime("%H:%M:%S" if "%S" in clock else "%H:%M"),
        )
        people = self.country.words["parts"]["people"]
        if chance.random() < 0.5:
            who = chance.choice((chance.choice(people).split()[0], str(chance.randint(1, 40))))
            self._pair(
                f"{words('cashier')}{glue}{who}", f"{words('terminal')} {chance.randint(1, 9)}"
            )
        if bill.food and chance.random() < 0.6:
            self._add(f"{words('table')}{glue}{chance.randint(1, 60)}")

    def _mark(self, item: Item) -> str:
        if not self.marks:
            return ""
        return " " + MARKS[sorted({i.rate for i in self.bill.items}, reverse=True).index(item.rate)]

    def _items(self) -> None:
        if self.quantities == "column":
            head = self.country.words["invoice"]
            left = (
                f"{self.chance.choice(head['quantity'])}  {self.chance.choice(head['description'])}"
            )
            self._pair(left[: self.columns - 12], self.chance.choice(head["amount"])[:11])
        for item in self.bill.items:
            self._item(item)
            if self.item_gap:
                self._add(height=0.5)

    def _item(self, item: Item) -> None:
        country = self.country
        name, code = item.description, item.code
        full = item.amount + item.discount
        amount = self._amount(full, signed=self.signs_on_items) + self._mark(item)
        price, quantity = self._amount(item.unit_price), country.quantity(item.quantity)
        noted = {
            "quantity": item.quantity,
            "unit_price": item.unit_price,
            "product_code": code if self.codes else None,
        }
        left = f"{code} {name}" if self.codes == "before" else name
        plain = item.quantity == 1
        if item.weighed:
            self._pair(left, amount)
            self._add(f"   {country.number(item.quantity, 3)} kg x {price}/kg")
        elif self.quantities == "column":
            self._pair(f"{quantity:<3} {left}", amount)
            noted["unit_price"] = None
        elif plain and self.quantities != "prefix":
            self._pair(left, amount)
            noted["quantity"] = noted["unit_price"] = None
        elif self.quantities == "prefix":
            self._pair(f"{quantity}{self.after_quantity}{left}", amount)
            noted["unit_price"] = None
        elif self.quantities == "after":
            self._add(left)
            self._pair(f"   {quantity} {self.times} {price}", amount)
        else:
            self._add(f"{quantity} {self.times} {price}")
            self._pair(left, amount)
        if self.codes == "line":
            self._add(f"  {code}")
        amount_noted = item.amount
        if item.discount:
            self._pair(f"  {self.words('item_discount')}", f"-{self._amount(item.discount)}")
            noted["discount"] = item.discount
            amount_noted = full
        self.truth.row(description=name, amount=amount_noted, **noted)

    def _sums(self) -> None:
        bill, words, chance = self.bill, self.words, self.chance
        added = bool(bill.service or bill.tip or bill.rounding) or not bill.inclusive
        if bill.discount:
            self._pair(words("subtotal"), self._amount(bill.lines_total))
            self._pair(words("discount"), f"-{self._amount(bill.discount)}")
            self.truth.note(discount_total=bill.discount)
        elif added or chance.random() < 0.3:
            self._pair(words("subtotal"), self._amount(bill.lines_total))
            self.truth.note(subtotal=bill.lines_total)
        rebates = sum((item.discount for item in bill.items), bill.discount)
        if rebates != bill.discount:
            self.truth.unjudged("discount_total")
        if bill.service:
            rate = self.country.quantity(bill.service_rate)
            self._pair(words("service", rate=rate), self._amount(bill.service))
            self.truth.note(service_charge=bill.service)
        self.taxes_done = not bill.inclusive
        if not bill.inclusive:
            for tax in bill.taxes:
                self._pair(
                    words("tax", rate=self.country.quantity(tax.rate)), self._amount(tax.amount)
                )
            if bill.taxes:
                self.truth.note(tax_total=bill.tax_total)
        if bill.tip:
            self._pair(words("tip"), self._amount(bill.tip))
            self.truth.note(tip=bill.tip)
        if bill.rounding:
            sign = "-" if bill.rounding < 0 else chance.choice(("", "+"))
            self._pair(words("rounding"), f"{sign}{self._amount(abs(bill.rounding))}")
            self.truth.note(rounding=self.country.round(bill.rounding))
        self._total()

    def _total(self) -> None:
        bill, words, chance = self.bill, self.words, self.chance
        signed = chance.random() < 0.6
        label = words("total")
        if chance.random() < 0.2:
            label += f" {self.country.currency}"
            signed = False
            self.truth.note(currency=self.country.currency)
        if signed and (len(self.sign) > 1 or self.sign in "€£₽"):
            self.truth.note(currency=self.country.currency)
        style = chance.choice(("", "bold", "large"))
        self._pair(label, self._amount(bill.total, signed=signed), style)
        self.truth.note(total=bill.total)
        self._add(height=0.4)
        if bill.tendered is not None:
            self._pair(words("cash"), self._amount(bill.tendered))
            self._pair(words("change"), self._amount(bill.change or Decimal()))
            self.truth.note(change=bill.change)
        elif chance.random() < 0.85:
            self._pair(words("card"), self._amount(bill.total))
            if chance.random() < 0.5:
                self._add(f"{'*' * 12}{chance.randint(1000, 9999)}")
                self._add(f"{words('approval')} {chance.randint(100000, 999999)}")

    def _tax_block(self) -> None:
        bill, words, chance, country = self.bill, self.words, self.chance, self.country
        if not bill.taxes or chance.random() < 0.15:
            return
        self._add(height=0.6)
        if chance.random() < 0.6:
            heads = [
                text.format(tax=self.tax_name) for text in chance.choice(words.texts["tax_header"])
            ]
            width = (self.columns - 9) // 3
            self._add(
                heads[0][:8].ljust(9)
                + "".join(head[: width - 1].rjust(width) for head in heads[1:])
            )
            for index, tax in enumerate(bill.taxes):
                mark = f"{MARKS[index]} " if self.marks else ""
                cells = (tax.base, tax.amount, tax.base + tax.amount)
                self._add(
                    f"{mark}{country.quantity(tax.rate)}%".ljust(9)
                    + "".join(self._amount(cell).rjust(width) for cell in cells)
                )
        else:
            for tax in bill.taxes:
                self._pair(words("tax", rate=country.quantity(tax.rate)), self._amount(tax.amount))
        self.truth.note(tax_total=bill.tax_total)

    def _footer(self) -> None:
        chance, words = self.chance, self.words
        self._add()
        if chance.random() < 0.3:
            self._add(f"{words('count')}: {len(self.bill.items)}")
        if self.show_tax_id and self.tax_id_below:
            self._tax_id()
        for text in chance.sample(words.texts["thanks"], chance.randint(1, 3)):
            self._centre(text.format(tax=self.tax_name))
        if chance.random() < 0.35:
            self._add("", "bars", 4)
            self._centre("".join(str(chance.randrange(10)) for _ in range(13)))

    def _sheet(self) -> Sheet:
        letter = self.family.regular.width("0", self.size)
        margin = letter * self.chance.uniform(1.5, 4)
        width = letter * self.columns + 2 * margin
        height = sum(h for _, _, h in self.printed) * self.leading + 2 * margin + self.leading * 2
        sheet = Sheet(width, height, self.family)
        y = margin + self.leading
        for text, style, lines in self.printed:
            if style == "bars":
                modules = [self.chance.randint(1, 3) for _ in range(49)]
                sheet.bars(width / 2 - sum(modules) * 0.45, y, self.leading * 3, modules)
            elif text:
                self._print(sheet, text, style, margin, y)
            y += lines * self.leading
        return sheet

    def _print(self, sheet: Sheet, text: str, style: str, margin: float, y: float) -> None:
        """Pairs are two texts, so that a larger print keeps its columns."""
        bold, size = style in {"bold", "large", "huge"}, self.size * SCALES.get(style, 1.0)
        if text.startswith("\f"):
            sheet.text(sheet.width / 2, y, text[1:], size, bold=bold, align="C")
        elif style == "large" and "  " in text.strip():
            left, right = text.strip().rsplit("  ", 1)
            sheet.text(margin, y, left.strip(), size, bold=bold)
            sheet.text(sheet.width - margin, y, right.strip(), size, bold=bold, align="R")
        else:
            sheet.text(margin, y, text, size if style != "large" else self.size, bold=bold)

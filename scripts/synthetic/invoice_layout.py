"""Invoices and credit notes on A4 or letter pages: letterhead, parties, key-values, foot."""

from __future__ import annotations

import random

from synthetic.bill import Bill
from synthetic.fonts import Fonts
from synthetic.identifiers import bic, iban
from synthetic.invoice_table import InvoiceTable
from synthetic.invoice_totals import draw_totals
from synthetic.parties import Party, company
from synthetic.places import Words
from synthetic.sheet import Colour, Sheet
from synthetic.truth import Truth

PAPERS = {"US": (612.0, 792.0)}
A4 = (595.3, 841.9)
ACCENTS: tuple[Colour, ...] = ((0, 0, 0), (30, 60, 110), (120, 40, 40), (20, 100, 80), (90, 90, 90))


class InvoiceLayout:
    """Draws one invoice; what it prints is noted in `truth`."""

    def __init__(self, bill: Bill, chance: random.Random, fonts: Fonts) -> None:
        self.bill, self.chance, self.truth = bill, chance, Truth()
        self.country = bill.country
        facts = self.country.facts
        self.tax_name = chance.choice(facts.get("invoice_tax_names") or facts["tax_names"] or [""])
        self.words = Words(self.country.words["invoice"], chance, self.tax_name)
        if bill.inclusive:
            self.words.leave_out_net()
        self.paper = PAPERS.get(self.country.code, A4)
        self.family = chance.choice(fonts.fixed if chance.random() < 0.06 else fonts.proportional)
        self.size = chance.choice((8.5, 9.0, 9.5, 10.0))
        self.accent = chance.choice(ACCENTS)
        self.sign = chance.choice(self.family.shown(self.country.facts["signs"]))
        self.pattern = chance.choice(self.country.facts["dates"])
        self.left = chance.uniform(38, 62)
        self.right = self.paper[0] - self.left
        self.sheets: list[Sheet] = []
        self.contact_in_foot = chance.random() < 0.35
        self.glue = chance.choice((": ", " ", ":  "))

    def draw(self) -> list[Sheet]:
        self.start_page()
        y = self._letterhead()
        y = self._blocks(y)
        y = InvoiceTable(self).draw(y + self.chance.uniform(14, 30))
        if y > self.paper[1] - 260:
            y = self.start_page()
        y = draw_totals(self, y + self.chance.uniform(6, 22))
        self._payment(y + 22)
        self._feet()
        return self.sheets

    @property
    def sheet(self) -> Sheet:
        return self.sheets[-1]

    @property
    def bottom(self) -> float:
        """How far a table may go down."""
        return self.paper[1] - 95

    def start_page(self) -> float:
        self.sheets.append(Sheet(*self.paper, self.family))
        return 60.0

    def label(self, key: str, **values: str) -> str:
        return self.words(key, **values)

    def _letterhead(self) -> float:
        vendor, chance = self.bill.vendor, self.chance
        place = chance.choice("LRC")
        x = {"L": self.left, "R": self.right, "C": self.paper[0] / 2}[place]
        size = chance.choice((12.0, 14.0, 17.0, self.size))
        y = chance.uniform(44, 66)
        self.sheet.text(x, y, vendor.name, size, bold=True, align=place, colour=self.accent)
        lines = [", ".join(vendor.address_lines)] if place == "C" else list(vendor.address_lines)
        if chance.random() < 0.25:
            lines[-1:] = [f"{lines[-1]}", vendor.country] if place != "C" else [lines[-1]]
            country_printed = place != "C"
        else:
            country_printed = False
        if not self.contact_in_foot:
            lines += self._contacts()
        for line in lines:
            y += self.size * 1.3
            self.sheet.text(x, y, line, self.size, align=place)
        address = vendor.address + (f", {vendor.country}" if country_printed else "")
        self.truth.note(vendor_name=vendor.name, vendor_address=address)
        self.head_place = place
        if chance.random() < 0.3:
            self.sheet.rule(self.left, y + 8, self.right, y + 8)
        return y + 16

    def _contacts(self) -> list[str]:
        """Phone, e-mail, web address and numbers of the seller, each on most documents."""
        vendor, chance, words = self.bill.vendor, self.chance, self.country.words
        lines = []
        if chance.random() < 0.75:
            lines.append(f"{chance.choice(words['phone'])}{self.glue}{vendor.phone}")
            self.truth.note(vendor_phone=vendor.phone)
        if chance.random() < 0.6:
            label = chance.choice((f"{chance.choice(words['email'])}{self.glue}", ""))
            lines.append(f"{label}{vendor.email}")
            self.truth.note(vendor_email=vendor.email)
        if chance.random() < 0.4:
            lines.append(vendor.website)
            self.truth.note(vendor_website=vendor.website)
        if chance.random() < 0.85:
            lines.append(f"{vendor.tax_label}{self.glue}{vendor.printed_tax_id}")
            self.truth.note(vendor_tax_id=vendor.tax_id)
        if vendor.registration and chance.random() < 0.4:
            label, number = vendor.registration
            lines.append(f"{label}{self.glue}{number}")
            self.truth.note(vendor_registration_id=number)
        return lines

    def _pairs(self) -> list[tuple[str, str]]:
        """Labels and values of the head, noted as printed."""
        bill, chance, country = self.bill, self.chance, self.country
        credit = bill.kind == "credit_note"
        pairs = [
            (self.label("credit_number" if credit else "number"), bill.number),
            (self.label("issue_date"), country.date(bill.issued, self.pattern)),
        ]
        self.truth.note(document_number=bill.number, issue_date=bill.issued)
        if chance.random() < 0.3:
            pairs.reverse()
        if bill.due and not credit and chance.random() < 0.6:
            pairs.append((self.label("due_date"), country.date(bill.due, self.pattern)))
            self.truth.note(due_date=bill.due)
        if bill.delivered and chance.random() < 0.35:
            pairs.append((self.label("delivery_date"), country.date(bill.delivered, self.pattern)))
            self.truth.note(delivery_date=bill.delivered)
        if chance.random() < 0.4:
            order = chance.choice(("PO-", "", "B", "4500")) + str(chance.randint(1000, 99999))
            pairs.append((self.label("purchase_order"), order))
            self.truth.note(purchase_order=order)
        if chance.random() < 0.4:
            number = chance.choice(("K", "C-", "", "D")) + str(chance.randint(1000, 99999))
            pairs.append((self.label("customer_id"), number))
            self.truth.note(customer_id=number)
        return pairs

    def _blocks(self, y: float) -> float:
        """Title, buyer and key-values: side by side, or the key-values as a band or a line."""
        chance, sheet = self.chance, self.sheet
        credit = self.bill.kind == "credit_note"
        title = self.label("credit_title" if credit else "title")
        pairs = self._pairs()
        shape = chance.choice(("list", "list", "stacked", "band", "inline"))
        buyer_right = shape in {"list", "stacked"} and chance.random() < 0.3
        middle = (self.left + self.right) / 2 + 20
        top = y + chance.uniform(10, 30)
        title_first = chance.random() < 0.5
        if title_first:
            where = chance.choice((("L", self.left), ("R", self.right)))
            sheet.text(where[1], top, title, 16, bold=True, align=where[0], colour=self.accent)
            top += 24
        buyer_end = self._buyer(middle if buyer_right else self.left, top)
        end = buyer_end
        if shape in {"list", "stacked"}:
            end = self._list(pairs, self.left if buyer_right else middle, top, shape)
        elif chance.random() < 0.4:
            end = self._ship_to(middle, top)
        y = max(end, buyer_end) + 14
        if not title_first:
            sheet.text(self.left, y + 8, title, 14, bold=True, colour=self.accent)
            y += 22
        if shape == "band":
            y = self._band(pairs, y)
        elif shape == "inline":
            for first in range(0, len(pairs), 2):
                line = "    ".join(
                    f"{key}{self.glue}{value}" for key, value in pairs[first : first + 2]
                )
                sheet.text(self.left, y, line, self.size)
                y += self.size * 1.5
        return y

    def _buyer(self, x: float, y: float) -> float:
        customer, chance, sheet = self.bill.customer, self.chance, self.sheet
        step = self.size * 1.3
        if chance.random() < 0.25:
            vendor = self.bill.vendor
            sheet.text(x, y, f"{vendor.name} - {vendor.address}", 6.0)
            y += step * 1.2
        elif chance.random() < 0.8:
            sheet.text(
                x,
                y,
                self.label("bill_to") + chance.choice(("", ":")),
                self.size,
                bold=chance.random() < 0.6,
            )
            y += step
        attention = self.country.words["attention"]
        people = self.country.words["parts"]["people"]
        lines = [customer.name, *customer.address_lines]
        address = customer.address
        if chance.random() < 0.2:
            lines.insert(
                1,
                " ".join(chance.choice(words) for words in (attention, people)),
            )
        if chance.random() < 0.2:
            lines.append(customer.country)
            address += f", {customer.country}"
        self.truth.note(customer_name=customer.name, customer_address=address)
        if chance.random() < 0.35 and customer.name not in people:
            lines.append(f"{customer.tax_label}{self.glue}{customer.printed_tax_id}")
            self.truth.note(customer_tax_id=customer.tax_id)
        for line in lines:
            sheet.text(x, y, line, self.size)
            y += step
        return y

    def _ship_to(self, x: float, y: float) -> float:
        """Where the goods went: another address, beside the buyer's."""
        step = self.size * 1.3
        place = company(self.country, self.chance)
        lines = [self.label("ship_to"), self.bill.customer.name, *place.address_lines]
        for index, line in enumerate(lines):
            self.sheet.text(x, y, line, self.size, bold=index == 0)
            y += step
        self.truth.note(shipping_address=place.address)
        return y

    def _list(self, pairs: list[tuple[str, str]], x: float, y: float, shape: str) -> float:
        step = self.size * self.chance.uniform(1.3, 1.6)
        aligned_right = self.chance.random() < 0.35
        widest = max(self.sheet.measure(key, self.size) for key, _ in pairs)
        for key, value in pairs:
            if shape == "stacked":
                self.sheet.text(x, y, key, self.size * 0.85, colour=(90, 90, 90))
                self.sheet.text(x, y + step, value, self.size)
                y += step * 2.2
                continue
            self.sheet.text(x, y, key + self.glue.strip(), self.size)
            if aligned_right:
                self.sheet.text(self.right, y, value, self.size, align="R")
            else:
                self.sheet.text(x + widest + 14, y, value, self.size)
            y += step
        return y

    def _band(self, pairs: list[tuple[str, str]], y: float) -> float:
        """A table of one row: labels in cells above their values."""
        width = (self.right - self.left) / len(pairs)
        boxed = self.chance.random() < 0.6
        size = min(self.size, 8.0)
        for index, (key, value) in enumerate(pairs):
            x = self.left + index * width
            for offset, line in enumerate(self.sheet.wrap(key, size, width - 6)):
                self.sheet.text(x + 3, y + 9 + offset * 9, line, size, bold=True)
            self.sheet.text(x + 3, y + 32, value, size)
            if boxed:
                self.sheet.box(x, y - 2, x + width, y + 37)
        return y + 44

    def _payment(self, y: float) -> None:
        bill, chance, sheet = self.bill, self.chance, self.sheet
        step = self.size * 1.4
        if bill.kind == "invoice" and chance.random() < 0.6:
            terms = self.label("terms", days=str(bill.days))
            sheet.text(self.left, y, f"{self.label('terms_label')}: {terms}", self.size)
            self.truth.note(payment_terms=terms)
            y += step
        account = iban(self.country.code, chance)
        if account and chance.random() < 0.75:
            grouped = " ".join(account[i : i + 4] for i in range(0, len(account), 4))
            code = bic(self.country.code, chance)
            lines = [self.label("bank"), f"IBAN{self.glue}{grouped}"]
            self.truth.note(iban=account)
            if chance.random() < 0.7:
                lines.append(f"{chance.choice(('BIC', 'SWIFT', 'BIC/SWIFT'))}{self.glue}{code}")
                self.truth.note(bic=code)
            for line in lines:
                sheet.text(self.left, y, line, self.size)
                y += step
            if chance.random() < 0.2:
                sheet.text(self.left, y, f"{self.label('reference')}: {bill.number}", self.size)
                self.truth.note(payment_reference=bill.number)
                y += step
        for text in chance.sample(self.words.texts["notices"], chance.randint(0, 2)):
            sheet.text(self.left, y + 4, text, self.size * 0.9)
            y += step

    def _feet(self) -> None:
        """Page numbers, and the seller's contacts where the letterhead has none."""
        contacts = self._contacts() if self.contact_in_foot else []
        vendor: Party = self.bill.vendor
        numbered = len(self.sheets) > 1 or self.chance.random() < 0.3
        shape = self.chance.choice(self.words.texts["page"])
        for index, sheet in enumerate(self.sheets, start=1):
            y = self.paper[1] - 52
            for start in range(0, len(contacts), 3):
                line = "  |  ".join(contacts[start : start + 3])
                sheet.text(self.paper[0] / 2, y, line, 7.5, align="C")
                y += 10
            if contacts and self.chance.random() < 0.5:
                sheet.text(self.paper[0] / 2, y, f"{vendor.name}, {vendor.address}", 7.0, align="C")
            if numbered:
                text = shape.format(index, len(self.sheets))
                sheet.text(self.right, self.paper[1] - 18, text, 8, align="R")

"""Seller, buyer and consignee on an invoice: letterheads and address blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthetic.parties import company

if TYPE_CHECKING:
    from synthetic.invoice_layout import InvoiceLayout

LABELLED = {"labelled", "boxed"}  # letterheads that stand beside the buyer, under a label


class PartyBlocks:
    """Draws the parties of `layout.bill` and notes them."""

    def __init__(self, layout: InvoiceLayout) -> None:
        self.layout, self.bill, self.chance = layout, layout.bill, layout.chance
        self.style = layout.styles.letterhead
        self.side_by_side = self.style in LABELLED
        self.country_printed = self.chance.random() < 0.25 and self.style in {"plain", "split"}

    def letterhead(self) -> float:
        """What stands at the top of the first page; returns where it ends."""
        vendor = self.bill.vendor
        address = vendor.address + (f", {vendor.country}" if self.country_printed else "")
        self.layout.truth.note(vendor_name=vendor.name, vendor_address=address)
        draw = {
            "plain": self._plain,
            "right_stack": self._right_stack,
            "split": self._split,
            "foot": self._name_only,
            "bar": self._bar,
        }
        return draw[self.style]() if self.style in draw else 50.0

    def contacts(self) -> list[str]:
        """Phone, e-mail, web address and numbers of the seller, each on most documents."""
        layout, vendor, chance = self.layout, self.bill.vendor, self.chance
        words, note = layout.country.words, layout.truth.note
        lines = []
        if chance.random() < 0.75:
            lines.append(f"{chance.choice(words['phone'])}{layout.glue}{vendor.phone}")
            note(vendor_phone=vendor.phone)
        if chance.random() < 0.6:
            label = chance.choice((f"{chance.choice(words['email'])}{layout.glue}", ""))
            lines.append(f"{label}{vendor.email}")
            note(vendor_email=vendor.email)
        if chance.random() < 0.4:
            lines.append(vendor.website)
            note(vendor_website=vendor.website)
        if chance.random() < 0.85:
            lines.append(f"{vendor.tax_label}{layout.glue}{vendor.printed_tax_id}")
            note(vendor_tax_id=vendor.tax_id)
        if vendor.registration and chance.random() < 0.4:
            label, number = vendor.registration
            lines.append(f"{label}{layout.glue}{number}")
            note(vendor_registration_id=number)
        return lines

    def _address_lines(self) -> list[str]:
        vendor = self.bill.vendor
        return [*vendor.address_lines, *([vendor.country] if self.country_printed else [])]

    def _contacts_above(self) -> list[str]:
        return [] if self.layout.contact_in_foot else self.contacts()

    def _plain(self) -> float:
        """Name, address and contacts under each other: left, right or centred."""
        layout, chance = self.layout, self.chance
        place = chance.choice("LRC")
        x = {"L": layout.left, "R": layout.right, "C": layout.paper[0] / 2}[place]
        y = chance.uniform(44, 66)
        size = chance.choice((12.0, 14.0, 17.0, layout.size))
        layout.sheet.text(
            x, y, self.bill.vendor.name, size, bold=True, align=place, colour=layout.accent
        )
        lines = self._address_lines()
        if place == "C":
            lines = [", ".join(lines)]
        for line in lines + self._contacts_above():
            y += layout.step
            layout.sheet.text(x, y, line, layout.size, align=place)
        if chance.random() < 0.3:
            layout.sheet.rule(layout.left, y + 8, layout.right, y + 8)
        return y + 16

    def _split(self) -> float:
        """The name at the left, address and contacts in a column at the right."""
        layout = self.layout
        layout.sheet.text(layout.left, 62, self.bill.vendor.name, 15, bold=True)
        return self._column(self._address_lines() + self._contacts_above(), 52)

    def _right_stack(self) -> float:
        """Everything in a left-aligned column at the right, the name in the size of the text."""
        lines = [self.bill.vendor.name, *self._address_lines(), "", *self._contacts_above()]
        return self._column(lines, 48)

    def _column(self, lines: list[str], y: float) -> float:
        layout = self.layout
        x = layout.right - max(layout.sheet.measure(line, layout.size) for line in lines)
        aligned_right = self.chance.random() < 0.4
        for line in lines:
            if aligned_right:
                layout.sheet.text(layout.right, y, line, layout.size, align="R")
            else:
                layout.sheet.text(x, y, line, layout.size)
            y += layout.step
        return max(y, 80) + 10

    def _name_only(self) -> float:
        """A large name; the address follows in the foot and above the window."""
        layout = self.layout
        align, x = self.chance.choice((("L", layout.left), ("R", layout.right)))
        layout.sheet.text(
            x, 62, self.bill.vendor.name, 16, bold=True, align=align, colour=layout.accent
        )
        return 90.0

    def _bar(self) -> float:
        """Name over a rule, address and contacts in one or two small lines below it."""
        layout = self.layout
        layout.sheet.text(layout.left, 56, self.bill.vendor.name, 13, bold=True)
        layout.sheet.rule(layout.left, 62, layout.right, 62)
        between = self.chance.choice(("  |  ", " · ", "   "))
        y = 74.0
        layout.sheet.text(layout.left, y, between.join(self._address_lines()), 8.0)
        contacts = self._contacts_above()
        for first in range(0, len(contacts), 3):
            y += 11
            layout.sheet.text(layout.left, y, between.join(contacts[first : first + 3]), 8.0)
        return y + 14

    def draw(self, x: float, y: float, *, alone: bool) -> float:
        """The buyer and whoever stands beside it; `alone`: nothing else does."""
        layout, chance = self.layout, self.chance
        if self.side_by_side:
            return self._sides(y)
        end = self._buyer(x, y, labelled=chance.random() < 0.8)
        if alone and chance.random() < 0.4:
            end = max(end, self._ship_to(layout.middle, y))
        return end

    def _sides(self, y: float) -> float:
        """Seller and buyer beside each other under their labels, boxed or not."""
        layout, vendor = self.layout, self.bill.vendor
        boxed = self.style == "boxed"
        lines = [vendor.name, *self._address_lines(), *self._contacts_above()]
        end = self._block(layout.left + 4, y, layout.label("seller"), lines)
        end = max(end, self._buyer(layout.middle, y, labelled=True))
        if boxed:
            layout.sheet.box(layout.left, y - 14, layout.middle - 10, end)
            layout.sheet.box(layout.middle - 6, y - 14, layout.right, end)
        if self.chance.random() < 0.2:
            end = self._ship_to(layout.left + 4, end + layout.step)
        return end + 4

    def _block(self, x: float, y: float, label: str, lines: list[str]) -> float:
        layout = self.layout
        if label:
            colon = self.chance.choice(("", ":"))
            bold = self.chance.random() < 0.6
            layout.sheet.text(x, y, label + colon, layout.size, bold=bold)
            y += layout.step
        for line in lines:
            layout.sheet.text(x, y, line, layout.size)
            y += layout.step
        return y

    def _buyer(self, x: float, y: float, *, labelled: bool) -> float:
        layout, customer, chance = self.layout, self.bill.customer, self.chance
        words = layout.country.words
        if self.style == "foot" or (not labelled and chance.random() < 0.5):
            vendor = self.bill.vendor
            between = chance.choice((" - ", ", ", " · "))
            layout.sheet.text(x, y, between.join((vendor.name, *vendor.address_lines)), 6.0)
            y += layout.step * 1.2
            labelled = False
        people = words["parts"]["people"]
        lines = [customer.name, *customer.address_lines]
        address = customer.address
        if chance.random() < 0.2:
            lines.insert(1, f"{chance.choice(words['attention'])} {chance.choice(people)}")
        if chance.random() < 0.2:
            lines.append(customer.country)
            address += f", {customer.country}"
        layout.truth.note(customer_name=customer.name, customer_address=address)
        if chance.random() < 0.35 and customer.name not in people:
            lines.append(f"{customer.tax_label}{layout.glue}{customer.printed_tax_id}")
            layout.truth.note(customer_tax_id=customer.tax_id)
        return self._block(x, y, layout.label("bill_to") if labelled else "", lines)

    def _ship_to(self, x: float, y: float) -> float:
        """Where the goods went: another address, beside or below the buyer's."""
        place = company(self.layout.country, self.chance)
        self.layout.truth.note(shipping_address=place.address)
        lines = [self.bill.customer.name, *place.address_lines]
        return self._block(x, y, self.layout.label("ship_to"), lines)

"""Invoices and credit notes on A4 or letter pages: the order of their parts, what those share."""

from __future__ import annotations

import random

from synthetic.bill import Bill
from synthetic.fonts import Fonts
from synthetic.invoice_foot import draw_feet, draw_payment
from synthetic.invoice_pairs import draw_pairs, head_pairs
from synthetic.invoice_parties import PartyBlocks
from synthetic.invoice_table import InvoiceTable
from synthetic.invoice_totals import draw_totals
from synthetic.places import Words
from synthetic.sheet import Colour, Sheet
from synthetic.styles import Styles
from synthetic.truth import Truth

PAPERS = {"US": (612.0, 792.0), "CA": (612.0, 792.0)}
A4 = (595.3, 841.9)
ACCENTS: tuple[Colour, ...] = ((0, 0, 0), (30, 60, 110), (120, 40, 40), (20, 100, 80), (90, 90, 90))


class InvoiceLayout:
    """Draws one invoice; what it prints is noted in `truth`."""

    def __init__(self, bill: Bill, chance: random.Random, fonts: Fonts, styles: Styles) -> None:
        self.bill, self.chance, self.styles, self.truth = bill, chance, styles, Truth()
        self.country = bill.country
        facts = self.country.facts
        self.tax_name = chance.choice(facts.get("invoice_tax_names") or facts["tax_names"] or [""])
        texts = self.country.words["invoice"]
        self.words = Words(texts, chance, self.tax_name, split=styles.split)
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
        self.contact_in_foot = styles.letterhead == "foot" or chance.random() < 0.3
        self.glue = chance.choice((": ", " ", ":  "))

    def draw(self) -> list[Sheet]:
        self.start_page()
        parties = PartyBlocks(self)
        y = parties.letterhead()
        y = self._blocks(parties, y)
        y = InvoiceTable(self).draw(y + self.chance.uniform(14, 30))
        if y > self.paper[1] - 270:
            y = self.start_page()
        y = draw_totals(self, y + self.chance.uniform(6, 22))
        draw_payment(self, y + 22)
        draw_feet(self, parties.contacts() if self.contact_in_foot else [])
        return self.sheets

    @property
    def sheet(self) -> Sheet:
        return self.sheets[-1]

    @property
    def bottom(self) -> float:
        """How far a table may go down."""
        return self.paper[1] - 105

    @property
    def middle(self) -> float:
        """Left edge of what stands in the right half."""
        return (self.left + self.right) / 2 + 20

    @property
    def step(self) -> float:
        """From one line of running text to the next."""
        return self.size * 1.3

    def start_page(self) -> float:
        self.sheets.append(Sheet(*self.paper, self.family))
        return 60.0

    def label(self, key: str, **values: str) -> str:
        return self.words(key, **values)

    def _blocks(self, parties: PartyBlocks, y: float) -> float:
        """Title, buyer, consignee and key-values: side by side, or the key-values across."""
        chance, sheet = self.chance, self.sheet
        credit = self.bill.kind == "credit_note"
        title = self.label("credit_title" if credit else "title")
        pairs = head_pairs(self)
        shape = self.styles.pairs
        beside = shape in {"list", "stacked", "opposite"} and not parties.side_by_side
        buyer_right = beside and chance.random() < 0.3
        top = y + chance.uniform(10, 30)
        title_first = chance.random() < 0.5 and shape != "titled"
        if title_first:
            where = chance.choice((("L", self.left), ("R", self.right)))
            sheet.text(where[1], top, title, 16, bold=True, align=where[0], colour=self.accent)
            top += 24
        end = parties.draw(self.middle if buyer_right else self.left, top, alone=not beside)
        if beside:
            end = max(end, draw_pairs(self, pairs, self.left if buyer_right else self.middle, top))
        y = end + 14
        if not title_first and shape != "titled":
            sheet.text(self.left, y + 8, title, 14, bold=True, colour=self.accent)
            y += 22
        if not beside:
            y = draw_pairs(self, pairs, self.left, y)
        return y

"""An invoice as a born-digital PDF: letterhead, parties, table over page breaks, totals, footer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from babel.dates import format_date
from babel.numbers import format_decimal
from fpdf import FPDF

from sample_documents.model import Invoice, Item

RIGHT = 190.0
LEFT = 20.0
CARRY_LIMIT = 262.0


@dataclass(frozen=True)
class Words:
    """The printed words of one language; `phone` stands before the number and may be empty."""

    title: str
    number: str
    issue_date: str
    due_date: str
    delivery_date: str
    purchase_order: str
    customer_id: str
    bill_to: str
    columns: tuple[str, str, str, str, str, str]
    carried: str
    page: str
    subtotal: str
    tax: str
    total: str
    terms: str
    pay_to: str
    tax_id: str
    registration_id: str
    thanks: str
    phone: str = ""


ENGLISH = Words(
    title="INVOICE",
    number="Invoice No",
    issue_date="Invoice date",
    due_date="Due date",
    delivery_date="Delivery date",
    purchase_order="Your order no",
    customer_id="Customer no",
    bill_to="Bill to",
    columns=("Code", "Description", "Qty", "Unit", "Unit price", "Amount"),
    carried="Carried forward",
    page="Page {0} of {1}",
    subtotal="Subtotal",
    tax="VAT {rate}% on {base}",
    total="Invoice total",
    terms="Payment terms",
    pay_to="Please pay to",
    tax_id="VAT Reg No",
    registration_id="Company No",
    thanks="Goods remain our property until paid for in full.",
)
FRENCH = Words(
    title="FACTURE",
    number="Facture n°",
    issue_date="Date de facture",
    due_date="Date d'échéance",
    delivery_date="Date de livraison",
    purchase_order="Bon de commande",
    customer_id="N° client",
    bill_to="Facturé à",
    columns=("Réf.", "Désignation", "Qté", "Unité", "P.U. HT", "Montant HT"),
    carried="À reporter",
    page="Page {0} sur {1}",
    subtotal="Total HT",
    tax="TVA {rate} % sur {base}",
    total="Total TTC",
    terms="Conditions de paiement",
    pay_to="Coordonnées bancaires",
    tax_id="N° TVA",
    registration_id="SIRET",
    thanks="Nous vous remercions de votre confiance.",
    phone="Tél. ",
)
GERMAN = Words(
    title="RECHNUNG",
    number="Rechnungsnummer",
    issue_date="Rechnungsdatum",
    due_date="Fällig am",
    delivery_date="Lieferdatum",
    purchase_order="Ihre Bestellung",
    customer_id="Kundennummer",
    bill_to="Rechnung an",
    columns=("Art.-Nr.", "Bezeichnung", "Menge", "Einh.", "Einzelpreis", "Betrag"),
    carried="Übertrag",
    page="Seite {0} von {1}",
    subtotal="Nettobetrag",
    tax="USt. {rate} % auf {base}",
    total="Rechnungsbetrag",
    terms="Zahlungsbedingungen",
    pay_to="Bankverbindung",
    tax_id="USt-IdNr.",
    registration_id="Handelsregister",
    thanks="Vielen Dank für Ihren Auftrag.",
    phone="Tel. ",
)


@dataclass(frozen=True)
class Style:
    """How a letter looks. `fonts` are TrueType files for regular and bold; None means Helvetica.

    `accent` is the colour of rules and headings; `vendor_right` puts the letterhead on the right;
    `boxed` draws the table with lines around its cells instead of bands.
    """

    words: Words
    locale: str
    accent: tuple[int, int, int]
    fonts: tuple[Path, Path] | None
    currency_sign: str
    vendor_right: bool = False
    boxed: bool = False
    widths: tuple[float, ...] = (24, 70, 16, 14, 22, 24)


class InvoicePdf:
    """One invoice drawn with fpdf2; the same input gives the same bytes."""

    def __init__(self, invoice: Invoice, style: Style) -> None:
        self.invoice, self.style, self.words = invoice, style, style.words
        self.pdf = FPDF(format="A4")
        self.pdf.set_auto_page_break(False)
        self.pdf.c_margin = 2.0
        issued = datetime.combine(invoice.issue_date, datetime.min.time(), tzinfo=UTC)
        self.pdf.set_creation_date(issued)
        self.pdf.set_title(f"{self.words.title.title()} {invoice.number}")
        self.pdf.set_author(invoice.vendor.name)
        self.pdf.set_lang(style.locale.replace("_", "-"))
        self.family = "helvetica"
        if style.fonts:
            self.family = "body"
            self.pdf.add_font("body", "", style.fonts[0])
            self.pdf.add_font("body", "B", style.fonts[1])
        self.pages = 1

    def draw(self) -> bytes:
        """The file. Drawn twice when it has several pages, so that each can name their number."""
        self._start_page()
        self._header()
        self._table()
        self._totals()
        self._payment()
        pages = self.pdf.page_no()
        if pages != self.pages:
            again = InvoicePdf(self.invoice, self.style)
            again.pages = pages
            return again.draw()
        return bytes(self.pdf.output())

    # --- text -------------------------------------------------------------

    def _amount(self, value: Decimal, digits: int = 2) -> str:
        pattern = "#,##0." + "0" * digits if digits else "#,##0.###"
        text = format_decimal(value, pattern, locale=self.style.locale)
        return text.replace("\u202f", "\u00a0")

    def _date(self, day: date) -> str:
        patterns = {"en_GB": "dd MMMM y", "fr_FR": "dd/MM/y", "de_DE": "dd.MM.y"}
        return format_date(day, patterns[self.style.locale], locale=self.style.locale)

    def _font(self, size: float, bold: bool = False, accent: bool = False) -> None:
        self.pdf.set_font(self.family, "B" if bold else "", size)
        self.pdf.set_text_color(*(self.style.accent if accent else (25, 25, 25)))

    def _text(self, x: float, y: float, text: str, align: str = "L", width: float = 100) -> None:
        """Text whose left (or right, for "R") edge is at x."""
        self.pdf.set_xy(x - width if align == "R" else x, y)
        self.pdf.cell(width, 5, text, align=align)

    # --- parts ------------------------------------------------------------

    def _start_page(self) -> None:
        self.pdf.add_page()
        vendor, words = self.invoice.vendor, self.words
        self.pdf.set_draw_color(*self.style.accent)
        self.pdf.set_line_width(0.3)
        self.pdf.line(LEFT, 278, RIGHT, 278)
        self._font(7.5)
        legal = [f"{words.tax_id} {vendor.tax_id}"]
        if vendor.registration_id:
            legal.append(f"{words.registration_id} {vendor.registration_id}")
        self._text(LEFT, 279, f"{vendor.name}  |  " + "  |  ".join(legal), width=150)
        page = words.page.format(self.pdf.page_no(), self.pages)
        self._text(RIGHT, 279, page, "R")

    def _header(self) -> None:
        invoice, words = self.invoice, self.words
        vendor_x = 114.0 if self.style.vendor_right else LEFT
        title_x = LEFT if self.style.vendor_right else 120.0
        self._font(14, bold=True, accent=True)
        self._text(vendor_x, 18, invoice.vendor.name)
        self._font(9)
        phone = f"{words.phone}{invoice.vendor.phone}"
        contact = (phone, invoice.vendor.email, invoice.vendor.website)
        lines = [invoice.vendor.street, invoice.vendor.city, *filter(None, contact)]
        for index, line in enumerate(lines):
            self._text(vendor_x, 25 + 4.6 * index, line)
        self._font(22, bold=True)
        self._text(title_x, 19, words.title)

        self._font(8.5, accent=True)
        self._text(LEFT, 62, words.bill_to)
        self._font(10, bold=True)
        self._text(LEFT, 67, invoice.customer.name)
        self._font(10)
        customer = [invoice.customer.street, invoice.customer.city, invoice.customer.country]
        for index, line in enumerate(customer):
            self._text(LEFT, 72.5 + 5 * index, line)
        if invoice.customer.tax_id:
            self._font(9)
            self._text(LEFT, 89, f"{words.tax_id} {invoice.customer.tax_id}")
        self._facts()

    def _facts(self) -> None:
        invoice, words = self.invoice, self.words
        facts = [
            (words.number, invoice.number),
            (words.issue_date, self._date(invoice.issue_date)),
            (words.due_date, self._date(invoice.due_date)),
            (words.delivery_date, invoice.delivery_date and self._date(invoice.delivery_date)),
            (words.purchase_order, invoice.purchase_order),
            (words.customer_id, invoice.customer.customer_id),
        ]
        for index, (label, value) in enumerate(fact for fact in facts if fact[1]):
            y = 62 + 5.4 * index
            self._font(9)
            self._text(120, y, label)
            self._font(9.5, bold=index == 0)
            self._text(RIGHT, y, str(value), "R")

    def _table_head(self, y: float) -> float:
        self.pdf.set_fill_color(*self.style.accent)
        self._font(9, bold=True)
        if not self.style.boxed:
            self.pdf.set_text_color(255, 255, 255)
        x = LEFT
        for index, (label, width) in enumerate(
            zip(self.words.columns, self.style.widths, strict=True)
        ):
            self.pdf.set_xy(x, y)
            align = "R" if index in (2, 4, 5) else "L"
            self.pdf.cell(
                width,
                7,
                label,
                align=align,
                fill=not self.style.boxed,
                border=int(self.style.boxed),
            )
            x += width
        return y + 7

    def _table(self) -> None:
        y = self._table_head(102)
        carried = Decimal()
        for index, item in enumerate(self.invoice.items):
            if y + 7 > CARRY_LIMIT:
                self._font(9, bold=True)
                self._text(RIGHT - 26, y + 1, self.words.carried, "R")
                self._text(RIGHT, y + 1, self._amount(carried), "R", 40)
                self._start_page()
                y = self._table_head(20)
            self._row(item, y, shaded=index % 2 == 1)
            carried += item.amount
            y += 6.6
        self.y = y

    def _row(self, item: Item, y: float, *, shaded: bool) -> None:
        cells = (
            item.product_code or "",
            item.description,
            self._amount(item.quantity, 0),
            item.unit,
            self._amount(item.unit_price),
            self._amount(item.amount),
        )
        self._font(9)
        self.pdf.set_fill_color(243, 243, 240)
        x = LEFT
        for index, (text, width) in enumerate(zip(cells, self.style.widths, strict=True)):
            self.pdf.set_xy(x, y)
            align = "R" if index in (2, 4, 5) else "L"
            self.pdf.cell(
                width,
                6.6,
                text,
                align=align,
                fill=shaded and not self.style.boxed,
                border=int(self.style.boxed),
            )
            x += width

    def _totals(self) -> None:
        invoice, words = self.invoice, self.words
        if self.y > 225:
            self._start_page()
            self.y = 20
        y = self.y + 4
        rows = [(words.subtotal, invoice.subtotal)]
        for line in invoice.tax_lines:
            label = words.tax.format(rate=self._amount(line.rate, 0), base=self._amount(line.base))
            rows.append((label, line.amount))
        self._font(9.5)
        for label, value in rows:
            self._text(120, y, label)
            self._text(RIGHT, y, self._amount(value), "R", 40)
            y += 5.6
        self.pdf.set_draw_color(*self.style.accent)
        self.pdf.line(120, y + 0.4, RIGHT, y + 0.4)
        self._font(11.5, bold=True)
        self._text(120, y + 1.5, words.total)
        amount = self._amount(invoice.total)
        sign = self.style.currency_sign
        text = f"{sign}{amount}" if self.style.locale == "en_GB" else f"{amount} {sign}"
        self._text(RIGHT, y + 1.5, text, "R", 50)
        self.y = y + 12

    def _payment(self) -> None:
        invoice, words = self.invoice, self.words
        iban = " ".join(invoice.iban[i : i + 4] for i in range(0, len(invoice.iban), 4))
        y = self.y
        self._font(8.5, accent=True)
        self._text(LEFT, y, words.pay_to)
        self._font(9.5)
        self._text(LEFT, y + 5, f"IBAN: {iban}")
        self._text(LEFT, y + 10, f"BIC: {invoice.bic}")
        self._text(LEFT, y + 15, f"{words.terms}: {invoice.payment_terms}", width=150)
        self._font(9)
        self._text(LEFT, y + 23, words.thanks, width=150)

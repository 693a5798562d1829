"""Born-digital documents that are drawn for a measurement: two lines, a long invoice."""

from __future__ import annotations

from fpdf import FPDF

LINES_A_PAGE = 38
_WIDTHS = (20, 80, 20, 30, 30)
_SLIP_MM = (74, 52)  # A8


def two_lines() -> bytes:
    """A page of A8 of two lines, as PDF with a text layer: next to nothing to read."""
    pdf = FPDF(unit="mm", format=_SLIP_MM)
    pdf.set_font("Helvetica", size=12)
    pdf.add_page()
    # A text layer of fewer letters would not be trusted, and the page read by OCR.
    for text in ("Receipt of Harbour Lane Grocers", "Total EUR 9.00"):
        pdf.cell(0, 10, text, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def invoice_of(pages: int) -> bytes:
    """An invoice of so many full pages of lines, as PDF with a text layer."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=9)
    pdf.set_auto_page_break(auto=False)
    number = 0
    for page in range(pages):
        pdf.add_page()
        head = ["Invoice", "Long Works Ltd", "Invoice No: LW-60", "Invoice date: 2026-03-17"]
        for text in head if page == 0 else [f"Invoice No: LW-60, page {page + 1}"]:
            pdf.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
        rows = [("Pos", "Description", "Qty", "Unit price", "Amount")]
        for _ in range(LINES_A_PAGE):
            number += 1
            rows.append((str(number), f"Part of kind {number}", "2", "10.00", "20.00"))
        for row in rows:
            for width, text in zip(_WIDTHS, row, strict=True):
                pdf.cell(width, 6, text)
            pdf.ln()
    for text in (f"Subtotal EUR {number * 20}.00", "VAT 0 % 0.00", f"Total EUR {number * 20}.00"):
        pdf.cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())

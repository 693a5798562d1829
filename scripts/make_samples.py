"""Makes the sample documents, their expected results and their ground truth.

    python scripts/make_samples.py            # needs fonts-dejavu (Debian) or --fonts DIR

Seeded: the same library versions give the same bytes. The factur-x library checks the embedded XML
against its XML Schema and Schematron rules.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from unittest import mock

import facturx
from sample_documents import content, photo
from sample_documents.cii import cii_xml
from sample_documents.expected import (
    expected_json,
    invoice_result,
    receipt_result,
    truth_line,
    xml_result,
)
from sample_documents.model import Invoice
from sample_documents.pdf import ENGLISH, FRENCH, GERMAN, InvoicePdf, Style
from sample_documents.scan import scanned_pdf
from sample_documents.ubl import xrechnung_xml

LEITWEG_ID = "99000000-00571-96"
PHOTO_SCENE = photo.Scene(
    seed=47,
    size=(1240, 1660),
    corners=((0.175, 0.045), (0.835, 0.022), (0.865, 0.968), (0.145, 0.985)),
    table=(126, 92, 64),
    shadow=(0.92, 0.95, 0.42),
    orientation=6,
    quality=72,
)
RECEIPT_DE_SCENE = photo.Scene(
    seed=11,
    size=(1180, 1460),
    corners=((0.13, 0.035), (0.862, 0.055), (0.848, 0.962), (0.162, 0.975)),
    table=(88, 98, 104),
    shadow=(0.05, 0.9, 0.38),
    orientation=1,
    quality=72,
)


class IssueDay(datetime):
    """A clock that stands still at noon of the invoice's day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> IssueDay:
        issued = content.FACTURX.issue_date
        return cls(issued.year, issued.month, issued.day, 12, tzinfo=tz)


class Samples:
    """All samples as `(file name, expected result's parts, bytes)`, drawn with the given fonts."""

    def __init__(self, fonts: Path) -> None:
        self.sans = self._fonts(fonts, "DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf")
        self.serif = self._fonts(fonts, "DejaVuSerifCondensed.ttf", "DejaVuSerifCondensed-Bold.ttf")
        self.mono = self._fonts(fonts, "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf")

    @staticmethod
    def _fonts(folder: Path, regular: str, bold: str) -> tuple[Path, Path]:
        pair = folder / regular, folder / bold
        if missing := [font.name for font in pair if not font.is_file()]:
            raise SystemExit(
                f"{folder} lacks {', '.join(missing)}: install fonts-dejavu, or --fonts"
            )
        return pair

    def receipt_photo(self) -> bytes:
        return photo.receipt_photo(content.RECEIPT_PHOTO, photo.ENGLISH, PHOTO_SCENE, self.mono)

    def receipt_de(self) -> bytes:
        return photo.receipt_photo(content.RECEIPT_DE, photo.GERMAN, RECEIPT_DE_SCENE, self.mono)

    def invoice_scan(self) -> bytes:
        style = Style(ENGLISH, "en_GB", (40, 40, 40), None, "£", boxed=True)
        drawn = InvoicePdf(content.INVOICE_SCAN, style).draw()
        return scanned_pdf(drawn, seed=21, angles=(0.8, -0.5), quality=38)

    def invoice_digital(self) -> bytes:
        style = Style(FRENCH, "fr_FR", (122, 62, 30), self.serif, "€")
        return InvoicePdf(content.INVOICE_DIGITAL, style).draw()

    def facturx(self) -> bytes:
        invoice: Invoice = content.FACTURX
        style = Style(GERMAN, "de_DE", (20, 78, 110), self.sans, "€", vendor_right=True)
        drawn = InvoicePdf(invoice, style).draw()
        xml = cii_xml(invoice)
        metadata = {
            "author": invoice.vendor.name,
            "title": f"Rechnung {invoice.number}",
            "subject": f"Rechnung {invoice.number}",
            "keywords": "Factur-X, Rechnung",
        }
        # The library stamps the file with the time of its making: here the same one every time.
        with mock.patch.object(facturx.facturx, "datetime", IssueDay):
            made = facturx.generate_from_binary(
                drawn, xml, flavor="factur-x", level="en16931", lang="de", pdf_metadata=metadata
            )
        return bytes(made)

    def xrechnung(self) -> bytes:
        return xrechnung_xml(content.XRECHNUNG, LEITWEG_ID)


def make(fonts: Path, out: Path) -> None:
    """Write every sample below `out`, its result below `out/expected`, and `out/truth.jsonl`."""
    samples = Samples(fonts)
    makers: dict[str, tuple[Callable[[], bytes], dict[str, object], str]] = {
        "receipt_photo.jpg": (
            samples.receipt_photo,
            receipt_result(content.RECEIPT_PHOTO),
            "receipt",
        ),
        "receipt_de.jpg": (samples.receipt_de, receipt_result(content.RECEIPT_DE), "receipt"),
        "invoice_scan.pdf": (samples.invoice_scan, invoice_result(content.INVOICE_SCAN), "invoice"),
        "invoice_digital.pdf": (
            samples.invoice_digital,
            invoice_result(content.INVOICE_DIGITAL),
            "invoice",
        ),
        "invoice_facturx.pdf": (
            samples.facturx,
            xml_result(content.FACTURX),
            "invoice",
        ),
        "invoice_xrechnung.xml": (samples.xrechnung, xml_result(content.XRECHNUNG), "invoice"),
    }
    (out / "expected").mkdir(parents=True, exist_ok=True)
    truth = []
    for name, (maker, result, kind) in makers.items():
        stem = Path(name).stem
        (out / name).write_bytes(maker())
        (out / "expected" / f"{stem}.json").write_text(expected_json(kind, result), "utf-8")
        truth.append(truth_line(stem, name, kind, result))
        print(f"{name}: {(out / name).stat().st_size / 1000:.0f} kB")
    (out / "truth.jsonl").write_text("".join(truth), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts/truetype/dejavu"))
    default = Path(__file__).resolve().parents[1] / "samples"
    parser.add_argument("--out", type=Path, default=default)
    arguments = parser.parse_args()
    make(arguments.fonts, arguments.out)


if __name__ == "__main__":
    main()

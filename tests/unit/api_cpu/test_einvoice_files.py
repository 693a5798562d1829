"""What `ocr extract --ubl` and `--cii` accept, write and say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from apps.api_cpu.cli import app
from apps.api_cpu.extractions.einvoice_files import EInvoiceFiles
from lib.einvoice.writer import Syntax
from lib.errors import Error

RESPONSE: dict[str, Any] = {
    "document_type": "invoice",
    "backend": "cpu",
    "result": {
        "document_number": "LW-60",
        "issue_date": "2026-03-17",
        "currency": "EUR",
        "vendor_name": "Long Works Ltd",
        "customer_name": "Short Trade Ltd",
        "customer_address": "Hauptstr. 1, 10115 Berlin",
        "total": Decimal("20.00"),
        "vendor_website": "long.example",
        "line_items": [{"description": "Part", "amount": Decimal("20.00")}],
    },
}


@pytest.mark.parametrize("syntax", list(Syntax))
def test_one_goes_to_stdout_and_what_it_lacks_to_stderr(
    capfdbinary: pytest.CaptureFixture[bytes], syntax: Syntax
) -> None:
    files = EInvoiceFiles(syntax)
    files.require([Path("a.pdf")])
    invoice = files.written(RESPONSE)
    files.keep("in/a.pdf", invoice)
    out, err = capfdbinary.readouterr()
    assert out == invoice.xml
    said = err.decode().splitlines()
    assert said == [f"in/a.pdf: {note}" for note in invoice.notes]
    assert "BT-55" in said[0], "the buyer's country"
    assert "vendor_website" in said[-1]


def test_several_go_to_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    files = EInvoiceFiles(Syntax.UBL, "DE", folder)
    files.require([Path("a.pdf"), Path("b.pdf")])
    invoice = files.written(RESPONSE)
    assert "BT-55" not in invoice.missing
    files.keep("in/a.pdf", invoice)
    assert [path.name for path in folder.iterdir()] == ["a.pdf.ubl.xml"]
    assert (folder / "a.pdf.ubl.xml").read_bytes() == invoice.xml


def test_what_cannot_be_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    two = [tmp_path / "x" / "a.pdf", tmp_path / "y" / "a.pdf"]
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    for files, documents in (
        (EInvoiceFiles(Syntax.UBL), two),
        (EInvoiceFiles(Syntax.UBL, folder=tmp_path), two),
        (EInvoiceFiles(Syntax.UBL, folder=no_folder), two[:1]),
        (EInvoiceFiles(Syntax.UBL, "Atlantis"), two[:1]),
    ):
        with pytest.raises(typer.Exit) as stopped:
            files.require(documents)
        assert stopped.value.exit_code == 2


def test_a_receipt_is_none() -> None:
    with pytest.raises(Error) as caught:
        EInvoiceFiles(Syntax.CII).written(RESPONSE | {"document_type": "receipt"})
    assert caught.value.code == "not_exportable"


@pytest.mark.parametrize(
    "options", [["--ubl", "--cii"], ["--ubl", "--json"], ["--country", "DE"], ["--csv", "-o", "x"]]
)
def test_options_that_do_not_go_together(options: list[str]) -> None:
    assert CliRunner().invoke(app, ["extract", "a.pdf", *options]).exit_code == 2

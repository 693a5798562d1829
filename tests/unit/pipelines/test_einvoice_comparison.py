"""An e-invoice's XML beside its pages: what agrees, what differs, what was not found."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import (
    Alternative,
    Comparison,
    Extraction,
    FieldValue,
    Reading,
    Source,
    Value,
)
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType
from lib.pipelines.comparison import compare, compared
from lib.pipelines.tasks import load_tasks

TASK = load_tasks(Path(__file__).parents[3] / "configs" / "tasks")["invoice_fields_v1"]
BOX = Polygon.from_box(0.1, 0.2, 0.3, 0.22)


def _reading(fields: dict[str, FieldValue], amounts: tuple[str, ...] = ()) -> Reading:
    rows = tuple({"amount": Decimal(amount)} for amount in amounts)
    result = {name: field.value for name, field in fields.items()} | {"line_items": rows}
    return Reading(DocumentType.INVOICE, result, fields, (), needs_review=False, review_reasons=())


def _xml(amounts: tuple[str, ...] = (), **values: Value) -> Reading:
    return _reading(
        {name: FieldValue(v, str(v), 0.995, Source.XML) for name, v in values.items()}, amounts
    )


def _printed(
    amounts: tuple[str, ...] = (), sure: float = 0.95, other: Value | None = None, **values: Value
) -> Reading:
    alternatives = () if other is None else (Alternative(other, 0.1),)
    return _reading(
        {
            name: FieldValue(v, str(v), sure, Source.OCR, 1, BOX, alternatives)
            for name, v in values.items()
        },
        amounts,
    )


def _pages(*lines: str) -> tuple[Page, ...]:
    words = (Line(tuple(Word(text, BOX) for text in line.split())) for line in lines)
    return (Page(1, 1000, 1400, 0, PageSource.OCR, tuple(words)),)


def _compare(xml: Reading, printed: Reading, *lines: str) -> Comparison:
    return compare(TASK, xml, printed, _pages(*lines))


def test_equal_values_agree_however_they_are_written() -> None:
    found = _compare(
        _xml(total=Decimal("119.00"), document_number="RE 7/1", issue_date="2026-01-02"),
        _printed(total=Decimal("119"), document_number="RE-7/1", issue_date="2026-01-02"),
    )
    assert set(found.agreeing) == {"total", "document_number", "issue_date"}
    assert found.mismatches == found.not_found == ()


def test_what_the_page_surely_says_differently_is_a_mismatch() -> None:
    found = _compare(_xml(iban="DE02120300000000202051"), _printed(iban="DE02500105170137075030"))
    (mismatch,) = found.mismatches
    assert (mismatch.field, mismatch.xml) == ("iban", "DE02120300000000202051")
    assert mismatch.printed.polygon == BOX


def test_what_is_unsure_or_missing_contradicts_nothing() -> None:
    found = _compare(
        _xml(total=Decimal(119), subtotal=Decimal(100)), _printed(sure=0.6, total=Decimal(19))
    )
    assert set(found.not_found) == {"total", "subtotal"}
    assert found.mismatches == ()


def test_another_reading_of_the_same_print_may_agree() -> None:
    found = _compare(
        _xml(issue_date="2026-03-04"), _printed(other="2026-03-04", issue_date="2026-04-03")
    )
    assert found.agreeing == ("issue_date",)


def test_text_that_is_on_the_page_agrees_though_another_was_taken() -> None:
    xml = _xml(vendor_name="Acme GmbH", vendor_address="Am Markt 3, 12345 Altstadt, DE")
    printed = _printed(vendor_name="Logo", vendor_address="Postfach 9")
    lines = ("Acme GmbH", "12345 Altstadt", "Am Markt 3")
    assert set(_compare(xml, printed, *lines).agreeing) == {"vendor_name", "vendor_address"}
    assert len(_compare(xml, printed, "nothing of it").mismatches) == 2


def test_line_items_agree_by_their_amounts() -> None:
    assert _compare(_xml(("1.00", "2.50")), _printed(("2.50", "1.00"))).agreeing == ("line_items",)
    assert _compare(_xml(("1.00", "2.50")), _printed(("1.00",))).not_found == ("line_items",)


def test_the_answer_gets_places_and_doubts() -> None:
    xml = _xml(total=Decimal(119), document_number="7")
    exact = Extraction("invoice_fields_v1", "einvoice", "cii:x", "application/pdf", xml, (), 1)
    printed = _printed(total=Decimal(119), document_number="8")
    answer = compared(exact, TASK, printed, _pages("8"))
    total = answer.reading.fields["total"]
    assert (total.value, total.source, total.page, total.polygon) == (119, Source.XML, 1, BOX)
    assert answer.reading.fields["document_number"].value == "7", "the XML is the invoice"
    assert answer.reading.fields["document_number"].polygon is None
    assert answer.reading.needs_review
    assert answer.reading.review_reasons == ("page_differs:document_number",)
    assert len(answer.pages) == 1

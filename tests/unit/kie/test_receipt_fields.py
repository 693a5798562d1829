"""Fields of whole receipts of several countries, as the first candidate reads them."""

from datetime import date

import pytest
from printed_receipts import AMERICAN, GERMAN, MALAYSIAN, printed

from lib.domain.extraction import Hints, RawExtraction
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.receipts.fields import RECEIPT_FIELDS

TABLES = {"payments", "tax_lines", "line_items"}
TASK = Task(
    "receipt",
    "a receipt",
    DocumentType.RECEIPT,
    tuple(
        FieldSpec(name, FieldType.TABLE if name in TABLES else FieldType.STRING, name)
        for name in sorted(RECEIPT_FIELDS)
    ),
)
HINTS = Hints(received_on=date(2026, 1, 31))


def read(text: str, **options) -> RawExtraction:
    return build_cpu_extractor().extract([printed(text, **options)], TASK, HINTS)


def answers(raw: RawExtraction) -> dict[str, str]:
    return {name: found[0].raw for name, found in raw.fields.items()}


def rows(raw: RawExtraction, table: str) -> list[dict[str, str]]:
    return [{name: cell.raw for name, cell in row.items()} for row in raw.tables[table]]


def test_malaysian_receipt() -> None:
    raw = read(MALAYSIAN)
    assert answers(raw) == {
        "vendor_name": "KEDAI BUKU MAJU SDN BHD",
        "vendor_address": "NO. 12, JALAN MAWAR 3, TAMAN INDAH, 81100 JOHOR BAHRU, JOHOR.",
        "vendor_phone": "07-355 1234",
        "vendor_tax_id": "000123456789",
        "document_number": "CS00123",
        "issue_date": "09/01/2019",
        "issue_time": "18:45:10",
        "total": "9.00",
        "rounding": "0.02",
        "tax_total": "0.51",
        "change": "1.00",
    }
    assert raw.document_type is DocumentType.RECEIPT
    assert rows(raw, "line_items") == [
        {
            "description": "EXERCISE BOOK A4",
            "quantity": "2",
            "unit_price": "3.50",
            "amount": "7.00",
        },
        {"description": "BALL PEN BLUE", "quantity": "1", "unit_price": "1.98", "amount": "1.98"},
    ]
    assert rows(raw, "payments") == [{"method": "CASH", "amount": "10.00"}]
    assert rows(raw, "tax_lines") == [{"rate": "6%", "base": "8.47", "amount": "0.51"}]


def test_american_receipt() -> None:
    raw = read(AMERICAN)
    found = answers(raw)
    assert found["vendor_name"] == "Blue Door Cafe"
    assert found["vendor_address"] == "310 N. Main Street Portland, OR 97212"
    assert found["vendor_phone"] == "(503) 555-0142"
    assert found["issue_date"] == "03/09/2018"
    assert found["issue_time"] == "7:42 PM"
    assert (found["subtotal"], found["tax_total"], found["tip"], found["total"]) == (
        "$23.50",
        "$1.88",
        "$4.00",
        "$29.38",
    )
    assert rows(raw, "line_items") == [
        {"description": "Iced Tea", "quantity": "2", "amount": "$5.00"},
        {"description": "House Burger no onions", "quantity": "1", "amount": "$12.50"},
        {"description": "Apple Pie", "quantity": "1", "amount": "$6.00"},
    ]


def test_german_receipt() -> None:
    raw = read(GERMAN)
    found = answers(raw)
    assert raw.language == "de"
    assert found["vendor_name"] == "Bäckerei Sonne GmbH"
    assert found["vendor_address"] == "Lindenstraße 14 50674 Köln"
    assert found["total"] == "5,40"
    assert found["change"] == "4,60"
    assert found["vendor_tax_id"] == "DE123456788"
    assert rows(raw, "tax_lines") == [{"rate": "7,00%", "base": "5,05", "amount": "0,35"}]


def test_every_answer_is_grounded_in_words_of_the_page() -> None:
    page = printed(MALAYSIAN)
    raw = build_cpu_extractor().extract([page], TASK, HINTS)
    known = set(page.words)
    for candidates in raw.fields.values():
        for candidate in candidates:
            assert candidate.words
            assert set(candidate.words) <= known
            assert candidate.page == 1
            assert 0 <= candidate.score <= 1
        assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)


def test_only_what_the_task_asks_for() -> None:
    task = Task(
        "small", "", DocumentType.RECEIPT, (FieldSpec("total", FieldType.MONEY, "the total"),)
    )
    raw = build_cpu_extractor().extract([printed(MALAYSIAN)], task, HINTS)
    assert set(raw.fields) == {"total"}
    assert not raw.tables


@pytest.mark.parametrize(
    "text", ["", "HELLO", "a b c\n\n1 2 3", "12/12/2020", "((((\n....\n****", "TOTAL\nCASH\nTAX"]
)
def test_little_or_nothing_printed_gives_little_or_nothing(text: str) -> None:
    raw = read(text)
    assert not {"total", "subtotal", "tax_total", "vendor_phone"} & set(raw.fields)

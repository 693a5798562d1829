"""Values of receipts where another layout puts something beside them that looks the same."""

from datetime import date

import pytest
from printed_receipts import printed

from lib.domain.extraction import Hints, RawExtraction
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.kie.cpu_extractor import build_cpu_extractor

TASK = Task(
    "receipt",
    "a receipt",
    DocumentType.RECEIPT,
    (
        FieldSpec("vendor_name", FieldType.NAME, "vendor"),
        FieldSpec("vendor_address", FieldType.ADDRESS, "where"),
        FieldSpec("issue_date", FieldType.DATE, "day"),
        FieldSpec("document_number", FieldType.IDENTIFIER, "number"),
        FieldSpec("total", FieldType.MONEY, "sum"),
        FieldSpec("line_items", FieldType.TABLE, "lines"),
        FieldSpec("subtotal", FieldType.MONEY, "before tax"),
        FieldSpec("tax_total", FieldType.MONEY, "tax"),
        FieldSpec("tax_lines", FieldType.TABLE, "taxes"),
    ),
)


def read(text: str) -> RawExtraction:
    return build_cpu_extractor().extract([printed(text)], TASK, Hints(date(2026, 12, 31)))


def first(raw: RawExtraction, name: str) -> str | None:
    return raw.fields[name][0].raw if name in raw.fields else None


def test_a_label_with_its_own_number_is_not_the_dates() -> None:
    text = """
CEDAR HILL DRUGS
REG 03  TRN 4418  CSHR 22  08/09/26
SOAP           3.00
TOTAL          3.00
"""
    assert first(read(text), "issue_date") == "08/09/26"


def test_both_ends_of_a_period_stay_another_date() -> None:
    text = """
CITY GYM
Period 01/02/26 - 28/02/26
Date 30/01/26
MEMBERSHIP     3.00
TOTAL          3.00
"""
    best, *others = read(text).fields["issue_date"]
    assert best.raw == "30/01/26"
    assert sum(other.score for other in others) < 0.1


def test_the_owner_is_no_part_of_the_shops_name() -> None:
    text = """
Freie Tankstelle Moosbach
Inh. Karin Moosbach e.K.
Münchner Str. 201
85757 Karlsfeld
Beleg 3391     17.06.26
Super E10      72,59
Summe EUR      72,59
"""
    raw = read(text)
    assert first(raw, "vendor_name") == "Freie Tankstelle Moosbach"
    assert first(raw, "vendor_address") == "Münchner Str. 201 85757 Karlsfeld"


def test_an_owner_below_a_title_is_the_name() -> None:
    text = """
RECHNUNG
Inh. Karin Moosbach
Münchner Str. 201
85757 Karlsfeld
Summe EUR      72,59
"""
    assert first(read(text), "vendor_name") == "Inh. Karin Moosbach"


def test_a_tax_is_the_rates_share_whatever_heads_its_column() -> None:
    text = """
Apotheek Zonneplein
Pleisters             13,45
Totaal EUR            13,45

Btw     Over     Bedrag
9%     12,34       1,11
"""
    raw = read(text)
    assert first(raw, "tax_total") == "1,11"
    assert [{k: c.raw for k, c in row.items()} for row in raw.tables["tax_lines"]] == [
        {"rate": "9%", "amount": "1,11", "base": "12,34"}
    ]


@pytest.mark.parametrize(
    ("printed_total", "subtotal"), [("$3.21", "3.21"), ("$4.21", "83.21"), ("3.21", "83.21")]
)
def test_an_eight_is_the_dollar_sign_of_an_amount_that_is_printed_with_it(
    printed_total: str, subtotal: str
) -> None:
    text = f"""
CORNER GROCER
PEARS           $1.22
SPINACH         $1.99
Subtotal        83.21
Total           {printed_total}
"""
    assert first(read(text), "subtotal") == subtotal


@pytest.mark.parametrize("count", ["(6 ARTICLES)", "(6 ARTICLE(S))", ""])
def test_a_count_in_brackets_leaves_the_total_the_total(count: str) -> None:
    text = f"""
MARCHE DES HALLES
4 place Saint-Jean
44000 NANTES
BAGUETTE            2,40
COMTE              13,82
TOTAL {count}    16,22
CB EMV             16,22
"""
    raw = read(text)
    assert first(raw, "total") == "16,22"
    assert len(raw.tables["line_items"]) == 2


def test_a_number_behind_the_papers_name_and_n_with_a_full_stop() -> None:
    text = """
ALBERGO LA FONTANA
Via Cavour 3
53100 SIENA
RICEVUTA FISCALE N. 418
del 22/09/2026
TOTALE EUR    190,50
"""
    assert first(read(text), "document_number") == "418"


@pytest.mark.parametrize("sign", ["$", ""])
def test_gallons_and_their_price_are_no_items_but_the_fuels(sign: str) -> None:
    text = f"""
GREEN VALLEY PLAZA
PUMP 07  DIESEL
GALLONS         21.403
PRICE/GAL       {sign}3.799
FUEL TOTAL      {sign}81.31
LG COFFEE        {sign}2.49
TOTAL SALE      {sign}83.80
"""
    rows = [{k: c.raw for k, c in row.items()} for row in read(text).tables["line_items"]]
    assert [(row["amount"], row.get("quantity")) for row in rows] == [
        (f"{sign}81.31", "21.403"),
        (f"{sign}2.49", None),
    ]
    assert rows[0]["unit_price"] == f"{sign}3.799"

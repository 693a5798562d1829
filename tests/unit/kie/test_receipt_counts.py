"""Receipts of more countries: counts in columns, ordinals, whole units, numbers behind titles."""

from datetime import date

import pytest
from printed_receipts import printed

from lib.domain.extraction import Hints
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.receipts.fields import find_receipt_fields


def found(text, language):
    mentions = Mentions(lay_out([printed(text)]), load_lexicon(), language)
    return find_receipt_fields(mentions, Hints(received_on=date(2026, 12, 1)))


def table(text, language, name):
    return [{k: c.raw for k, c in row.items()} for row in found(text, language).tables[name]]


def best(text, language, field):
    candidates = found(text, language).fields.get(field, ())
    return candidates[0].raw if candidates else None


def test_a_count_stands_under_its_heading():
    slip = """
  CANT  ARTÍCULO               IMPORTE
     1  TALADRO               1,249.00
     2  CAJA PIJAS              178.00
  TOTAL                       1,427.00
"""
    assert [row.get("quantity") for row in table(slip, "es", "line_items")] == ["1", "2"]


def test_a_number_under_another_heading_is_no_count():
    slip = """
  CODE  ITEM     QTY           AMOUNT
    71  DRILL      1         1,249.00
    72  SCREWS     2           178.00
  TOTAL                      1,427.00
"""
    assert [row.get("quantity") for row in table(slip, "en", "line_items")] == ["1", "2"]


def test_ordinals_are_no_part_of_the_description():
    slip = """
  1. Хлеб ржаной           =64.90
  2. Масло сливочное      =219.00
  ИТОГ                    =283.90
"""
    names = [row["description"] for row in table(slip, "ru", "line_items")]
    assert names == ["Хлеб ржаной", "Масло сливочное"]


def test_a_price_per_unit_of_measure_explains_the_row_above():
    slip = """
  APFEL BRAEBURN                2,38 B
     1,198 kg x  1,99 EUR/kg
  MILCH                         4,47 B
     3 Stk x     1,49
  SUMME              EUR          6,85
"""
    rows = table(slip, "de", "line_items")
    assert [row["quantity"] for row in rows] == ["1,198", "3"]
    assert [row["amount"] for row in rows] == ["2,38", "4,47"]


def test_a_description_above_its_numbers_is_not_the_row_before():
    slip = """
  ROMAN                          24.95
  CAHIER
     3 @ $6.50                   19.50
  STYLO                           4.25
  TOTAL                          48.70
"""
    names = [row["description"] for row in table(slip, "en", "line_items")]
    assert names == ["ROMAN", "CAHIER", "STYLO"]


def test_money_in_whole_units_is_money():
    slip = """
  BERAS RAMOS 5KG      1  74500     74,500
  MINYAK GRG 2L        2  36900     73,800
  DISKON :                         (5,000)
  TOTAL :                          143,300
  TUNAI :                          150,000
  KEMBALI :                          6,700
"""
    rows = table(slip, "id", "line_items")
    assert [(row["quantity"], row["unit_price"]) for row in rows] == [
        ("1", "74500"),
        ("2", "36900"),
    ]
    assert best(slip, "id", "total") == "143,300"
    assert best(slip, "id", "change") == "6,700"


@pytest.mark.parametrize(
    ("slip", "language", "number"),
    [
        ("RESIT: A-009921\nJUMLAH  12.00", "ms", "A-009921"),
        ("BOLETA ELECTRÓNICA N° 1140287\nTOTAL  $12.00", "es", "1140287"),
        ("FACTURA SIMPLIFICADA\nNº: 0117-2026-44\nTOTAL  12,00", "es", "0117-2026-44"),
        ("Fatura Simplificada FS 2026A/3317\nTotal  12,00", "pt", "FS 2026A/3317"),
        ("Rechnung Nr. 20260118-0044\nTisch 9\nSumme  12,00", "de", "20260118-0044"),
        ("INVOICE\nTotal  12.00", "en", None),
        ("Receipt 12.50\nTotal  12.50", "en", None),
    ],
)
def test_the_number_behind_what_the_paper_is_called(slip, language, number):
    assert best(slip, language, "document_number") == number


def test_tax_rows_prove_themselves():
    slip = """
  TOTAAL                     EUR    21,83
  BTW       OVER     EXCL.     BEDRAG
   9%      18,34     16,83       1,51
  21%       3,49      2,88       0,61
"""
    rows = table(slip, "nl", "tax_lines")
    assert [row["base"] for row in rows] == ["16,83", "2,88"]
    assert [row["amount"] for row in rows] == ["1,51", "0,61"]


def test_a_brazilian_postcode_is_no_phone():
    assert best("MERCADO LTDA\nCampinas - SP 13010-100\nTOTAL  12,00", "pt", "vendor_phone") is None


GROCER = """
          EPICERIE DES HALLES
       27 RUE MERCIERE 69002 LYON
  POMMES GALA
     0,840 kg x 2,95 €/kg           2,48 A
  COMTE 18 MOIS
     0,312 kg x 24,90 €/kg          7,77 A
  TOTAL EUR                        10,25
  DONT TVA
  A  5,50 %    8,10 HT    0,45
  B 20,00 %    1,42 HT    0,28
"""


def test_items_by_weight_are_no_address():
    assert best(GROCER, "fr", "vendor_address") == "27 RUE MERCIERE 69002 LYON"


def test_a_tax_row_goes_on_in_the_row_below():
    rows = table(GROCER, "fr", "tax_lines")
    assert [row["amount"] for row in rows] == ["0,45", "0,28"]

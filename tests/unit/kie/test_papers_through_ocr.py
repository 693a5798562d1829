"""Papers that were drawn, degraded and read by OCR: what their layouts taught the rules."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from printed_receipts import printed

from lib.domain.document import Page
from lib.domain.extraction import Hints
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASKS = load_tasks(Path(__file__).parents[3] / "configs" / "tasks")
A4 = 96  # letters across a full page
HINTS = Hints(date(2026, 12, 31))


def answers(page: Page, task: str = "auto") -> Mapping[str, Any]:
    raw = build_cpu_extractor().extract([page], TASKS[task], HINTS)
    reading = finish(raw, raw.task or TASKS[task], [page], HINTS)
    return {"document_type": reading.document_type, **reading.result}


def receipt(text: str) -> Mapping[str, Any]:
    return answers(printed(text))


def letter(text: str) -> Mapping[str, Any]:
    return answers(printed(text, columns=A4), "invoice_fields_v1")


DINER = """
          MABEL'S KITCHEN
          1184 Harbor Ave
       Gloucester, MA 01930
 Corned Beef Hash            25.90
 Short Stack                 16.25
 Sub Total:                  42.15
 MA Meals Tax:                2.63
 Local Tax:                   0.32
 TOTAL:                     $45.10
 9/23/2017 9:48:11 AM
   Suggested Gratuity
 15%: $6.32 18%: $7.59
 20%: $8.43
"""


def test_taxes_without_rates_that_lead_to_the_total_are_added() -> None:
    found = receipt(DINER)
    assert str(found["tax_total"]) == "2.95"
    assert [str(row["amount"]) for row in found["tax_lines"]] == ["2.63", "0.32"]


def test_taxes_that_lead_nowhere_are_not_added() -> None:
    assert receipt(DINER.replace("$45.10", "$46.10"))["tax_total"] is None


def test_tips_to_choose_from_are_none() -> None:
    assert receipt(DINER)["tip"] is None


def test_a_base_and_a_tax_beside_the_total_that_they_make() -> None:
    found = receipt("""
 TAJ HOUSE
 Date: 18.04.07
 Samosa               6.00
 Biryani             93.33
 Total Amount        £99.33
 VAT Analysis
 84.54   14.79   99.33
""")
    assert (str(found["subtotal"]), str(found["tax_total"])) == ("84.54", "14.79")


def test_a_tax_under_the_heading_of_its_table() -> None:
    found = receipt("""
 HARIAN MART
 MILO 1KG             19.90
 ROTI                  3.40
 TOTAL MYR            23.30
 CASH                 23.30
 GST ANALYSIS   GOODS  TAX AMOUNT
 S = 6 %        21.98        1.32
""")
    assert [str(row["amount"]) for row in found["tax_lines"]] == ["1.32"]


def test_a_balance_that_is_paid_above_the_total_is_the_change() -> None:
    found = receipt("""
 KEDAI BUKU CAHAYA
 A4 PAPER             21.80
 BALL PEN              7.40
 Total Amt            29.20
 Paid                 50.20
 Balance              21.00
""")
    assert (str(found["total"]), str(found["change"])) == ("29.20", "21.00")


def test_a_phone_number_that_ocr_glued_to_its_label() -> None:
    found = receipt("""
 HARVEST MOON CO-OP
 212 Elm Street
 Burlington, VT 05401
 Telephone802-555-0148
 OATS                  2.12
 TOTAL                 2.12
""")
    assert found["vendor_phone"] == "802-555-0148"


@pytest.mark.parametrize(
    "line",
    ["STORE 0417", "Store #118 Reg 02", "Filiale Nr. 12", "Serving you since 1978", '"We care"'],
)
def test_an_address_begins_below_the_number_of_the_shop_and_its_motto(line: str) -> None:
    found = receipt(f"""
        BARGAIN BARN
     {line}
     2900 E COLFAX AVE
     DENVER, CO 80206
 TOWEL                 9.47
 TOTAL                 9.47
""")
    assert found["vendor_address"] == "2900 E COLFAX AVE DENVER, CO 80206"


def test_a_motto_in_quotes_is_no_name() -> None:
    found = receipt("""
      Gino's Pizza
  "Home of the big burger"
  617-555-0162
 88 Salem St, Boston
 1 LG CHEESE          14.50
 TOTAL                14.50
 CASH TEND            20.00
 CHG                   5.50
""")
    assert found["vendor_name"] == "Gino's Pizza"
    assert str(found["change"]) == "5.50"


def test_words_for_streets_say_where_the_day_comes_first() -> None:
    found = receipt("""
 KEDAI BUKU CAHAYA
 22, JLN BUNGA RAYA 7, TMN MAWAR
 CASH BILL        Date:3/7/2018
 BALL PEN              4.80
 Total Amt             4.80
""")
    assert found["issue_date"] == "2018-07-03"


WINDOW = """
Elektro Wachtmeister GmbH & Co. KG
Gewerbestraße 21- 48155 Münster
Wachtmeister GmbH & Co. KG, Gewerbestraße 21, 48155 Münster
Hausverwaltung Overbeck e.K.
Warendorfer Str. 118
48145 Münster
                                        Rechnungs-Nr.:       RE-2024-0817
                                        Rechnungsdatum:      19.09.2024
Rechnung
Nettobetrag                                                    516,80 €
zzgl. 19 % MwSt.                                                98,19 €
Rechnungsbetrag                                                614,99 €
"""


def test_a_sender_right_above_the_buyer_is_no_part_of_the_buyer() -> None:
    found = letter(WINDOW)
    assert found["customer_name"] == "Hausverwaltung Overbeck e.K."
    assert found["customer_address"] == "Warendorfer Str. 118, 48145 Münster"


def test_a_number_of_a_court_register_is_no_post_code() -> None:
    found = letter("""
Spedition Kranz & Söhne GmbH
Am Güterbahnhof 4
95444 Bayreuth

Porzellanfabrik Rehau AG
Fabrikstraße 31
95111 Rehau

Rechnungsnummer    Rechnungsdatum    Fällig am
SK-448120          30.06.2025        14.07.2025

Zwischensumme                                            1.009,32
Umsatzsteuer 19,00 %                                       191,77
Zahlbetrag                                               1.201,09

IBAN DE12 7739 0000 0001 2345 67
HRB 1187 AG Bayreuth
""")
    assert found["vendor_address"] == "Am Güterbahnhof 4, 95444 Bayreuth"


def test_a_number_that_looks_like_a_date_is_the_invoices() -> None:
    found = letter("""
Hélène Vasseur Conseil EURL
5 place du Martroi
45000 ORLÉANS

FACTURE N° 2024-09-03
Orléans, le 30 septembre 2024

Total HT               2 936,00
TVA 20 %                 587,20
Total TTC              3 523,20
""")
    assert (found["document_number"], found["issue_date"]) == ("2024-09-03", "2024-09-30")


PAID_INVOICE = """
GARAGE DE LA ROCADE                 FACTURE
37300 JOUÉ-LÈS-TOURS                OR : 8841
                                    {person}
                                    22 rue des Lilas
                                    37550 SAINT-AVERTIN
Vidange moteur                              45,00
Base HT                                     45,00
TVA 20,00 %                                  9,00
Net à payer                                 54,00
Payé ce jour par carte bancaire.
"""


@pytest.mark.parametrize("person", ["M. DELAUNAY Patrick", "Mme DELAUNAY Anne"])
def test_a_person_under_the_senders_address_gets_an_invoice(person: str) -> None:
    found = answers(printed(PAID_INVOICE.format(person=person), columns=52))
    assert found["document_type"] == "invoice"
    assert found["customer_name"] == person


def test_a_shop_that_is_called_mister_is_no_person() -> None:
    found = receipt("""
 MR FIXIT TRADING
 12, JALAN MAWAR 3
 81100 JOHOR BAHRU
 GLUE                  4.80
 TOTAL                 4.80
 CASH                  4.80
""")
    assert found["document_type"] == "receipt"

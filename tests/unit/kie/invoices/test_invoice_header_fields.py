"""Numbers, dates, parties and sums of invoices in places where they are easily mistaken."""

from __future__ import annotations

import pytest
from drawn_pages import best, read
from hypothesis import example, given, settings
from hypothesis import strategies as st


def field(picture: str, name: str) -> str | None:
    return best(read(picture), [name])[name]


def test_values_below_a_row_of_labels() -> None:
    found = read("""
Factuurnummer        Factuurdatum        Klantnummer        Vervaldatum
2024-0113            22-03-2024          10045              21-04-2024
""")
    assert best(found, ["document_number", "issue_date", "customer_id", "due_date"]) == {
        "document_number": "2024-0113",
        "issue_date": "22-03-2024",
        "customer_id": "10045",
        "due_date": "21-04-2024",
    }


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("Rechnung # RE-20240519/77 vom 19.05.2024", "RE-20240519/77"),
        ("Handelsrechnung (380) Nr. 550128 vom 05.03.2024", "550128"),
        ("Faktura VAT nr FV/12/03/2024", "FV/12/03/2024"),
        ("Avoir AV-2023-0041", "AV-2023-0041"),
        ("Fattura n. 12 del 30/04/2024", "12"),
        ("Fatura FT 2024/157", "FT 2024/157"),
        ("Счет на оплату № 245 от 12 марта 2024 г.", "245"),
        ("FAKTURA VAT NR 41/04/2026", "41/04/2026"),
        ("INVOICE NO 4711", "4711"),
        ("Rechnung vom 19.05.2024", None),
        ("Invoice to be paid within 30 days", None),
    ],
)
def test_number_in_the_title(title: str, number: str | None) -> None:
    assert field(title, "document_number") == number


def test_number_of_digit_groups() -> None:
    assert field("Kundennummer:    88 120 34", "customer_id") == "88 120 34"


def test_a_date_inside_a_number_is_no_date() -> None:
    assert field("Rechnung # RE-20240519/77", "issue_date") is None


def test_delivery_due_and_order_dates_are_not_the_invoice_date() -> None:
    found = read("""
Lieferdatum:        03.02.2024
Bestelldatum:       01.02.2024
Rechnungsdatum:     05.02.2024
Fällig am:          19.02.2024
""")
    assert best(found, ["issue_date", "delivery_date", "due_date"]) == {
        "issue_date": "05.02.2024",
        "delivery_date": "03.02.2024",
        "due_date": "19.02.2024",
    }


def test_customer_in_the_window_under_the_senders_line() -> None:
    found = read("""
                                                              Lumen GmbH
                                                              Leuchtenweg 20
Lumen GmbH, Leuchtenweg 20, 80331 München                     80331 München
Kaufhaus Nord AG                                              Deutschland
Herr Karl Sommer                                              Datum            05.03.2024
Bahnhofstr. 15                                               Kundennummer     KD-30551
60311 Frankfurt
""")
    assert best(found, ["vendor_name", "vendor_address", "customer_name", "customer_id"]) == {
        "vendor_name": "Lumen GmbH",
        "vendor_address": "Leuchtenweg 20, 80331 München",
        "customer_name": "Kaufhaus Nord AG",
        "customer_id": "KD-30551",
    }


def test_parties_in_sections_with_sub_labels() -> None:
    found = read("""
Verkäufer
Nummer:              77120
Name:                Autohaus Seeblick
Anschrift:           Uferstr. 99
                     DE 88045 Seedorf

Käufer/Leistungsempfänger
Nummer:              88004
Name:                Reederei Anker
Anschrift:           Hafen 88
                     DE 40210 Nordstadt
""")
    assert best(found, ["vendor_name", "customer_name", "customer_address"]) == {
        "vendor_name": "Autohaus Seeblick",
        "customer_name": "Reederei Anker",
        "customer_address": "Hafen 88, DE 40210 Nordstadt",
    }


def test_delivery_address_left_and_customer_right() -> None:
    found = read("""
Moulin Vert SARL - 12 chemin des Oliviers - 84000 Avignon - France

Facture FA-2023-0009

Adresse de livraison                        Hôtel du Lac
Hôtel du Lac - Annexe                       Stéphanie Martin
42 rue du Stade                             1 quai du Lac
74000 Annecy                                74000 Annecy
""")
    assert best(found, ["vendor_name", "customer_name", "shipping_address"]) == {
        "vendor_name": "Moulin Vert SARL",
        "customer_name": "Hôtel du Lac",
        "shipping_address": "42 rue du Stade, 74000 Annecy",
    }


def test_tax_ids_of_both_parties() -> None:
    found = read("""
Müller Werkzeuge GmbH & Co. KG
Industriestr. 20
33602 Bielefeld

USt-IdNr.: DE136695976   Ihre USt-IdNr.: DE811128135
Steuernummer: 133/815/08152
""")
    assert best(found, ["vendor_tax_id", "customer_tax_id"]) == {
        "vendor_tax_id": "DE136695976",
        "customer_tax_id": "DE811128135",
    }


def test_a_customers_tax_id_is_not_given_to_the_seller() -> None:
    assert field("N° TVA client : FR40303265045", "vendor_tax_id") is None


def test_paid_and_due_beside_the_total() -> None:
    found = read("""
Invoice 9                                       1 March 2024

Total HT                               1 641,00 €
Total TVA                                171,20 €
Total TTC                              1 812,20 €
Acompte                                 -500,00 €
Net à payer                            1 312,20 €
""")
    assert best(found, ["subtotal", "tax_total", "total", "amount_paid", "amount_due"]) == {
        "subtotal": "1 641,00 €",
        "tax_total": "171,20 €",
        "total": "1 812,20 €",
        "amount_paid": "-500,00 €",
        "amount_due": "1 312,20 €",
    }


def test_an_amount_due_alone_is_the_total() -> None:
    found = read("""
Net total:           300.00 €
VAT total:            57.00 €
Due payable:         357.00 €
""")
    assert best(found, ["subtotal", "total", "amount_due"]) == {
        "subtotal": "300.00 €",
        "total": "357.00 €",
        "amount_due": "357.00 €",
    }


def test_a_blank_page_has_nothing() -> None:
    found = read("")
    assert (dict(found.fields), dict(found.tables)) == ({}, {})


@settings(max_examples=40)
@example([["Qty", "Total", "Qty", "Qty"], [":", "19 %"]])
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    *("Total", "Qty", "Amount", "Description", "Bill to:", "12345 Berlin", "GmbH"),
                    *("19 %", "1.234,56 €", "2024-02-30", "DE136695976", "-", "Nr.", "7", ":"),
                ]
            ),
            max_size=6,
        ),
        max_size=12,
    )
)
def test_any_page_is_read_and_every_candidate_has_a_place(rows: list[list[str]]) -> None:
    found = read("\n".join("   ".join(row) for row in rows))
    cells = [c for rows_ in found.tables.values() for row in rows_ for c in row.values()]
    candidates = [c for ranked in found.fields.values() for c in ranked] + cells
    assert all(c.words and c.page == 1 and 0 <= c.score <= 1 for c in candidates)


@pytest.mark.parametrize("total", ["Total EUR 200.00", "Total EUR -200.00", "Total 200.00 EUR"])
def test_a_currency_between_a_total_and_its_amount_belongs_to_both(total: str) -> None:
    findings = read(
        f"""
Long Works Ltd

Invoice No: LW-60                        Invoice date: 2024-03-17

Description                  Qty        Unit price       Amount
Part                           2            100.00       200.00

Subtotal EUR 200.00
VAT 0 % 0.00
{total}
"""
    )
    found = best(findings, ["subtotal", "total"])
    assert found == {"subtotal": "EUR 200.00", "total": total.removeprefix("Total ")}


@pytest.mark.parametrize(
    ("line", "number"), [("0117", "0117"), ("#2026-58", "2026-58"), ("Page 1 of 2", None)]
)
def test_number_alone_under_a_bare_title(line: str, number: str | None) -> None:
    assert field(f"INVOICE\n{line}\n\nTotal    12.00", "document_number") == number


def test_a_number_where_the_name_would_be_is_the_customers() -> None:
    assert field("Client : C04417", "customer_id") == "C04417"
    assert field("Client : Delmas SAS", "customer_id") is None


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("Zahlbar ohne Abzug bis 02.09.2026.", "02.09.2026"),
        ("Total a pagar até 11/06/2026    22,92 €", "11/06/2026"),
        ("Payment terms: received on 05/09/2026 with thanks", None),
    ],
)
def test_the_last_day_of_a_sentence_about_payment(line: str, day: str | None) -> None:
    assert field(line, "due_date") == day


def test_what_is_due_later_is_not_what_is_due() -> None:
    found = read("""
TOTAL AMOUNT DUE                       $62.81
AMOUNT DUE AFTER 06/18/2026            $69.09
""")
    assert best(found, ["amount_due"]) == {"amount_due": "$62.81"}


def test_a_post_code_is_no_phone_beside_one() -> None:
    line = "Klarwerk GmbH - Domstr. 40 - 50668 Köln - Tel +49 221 5550190"
    assert field(line, "vendor_phone") == "+49 221 5550190"

"""Tables of line items: page breaks, missing and stacked headers, wrapped lines, taxes."""

from __future__ import annotations

from drawn_pages import best, items, read

FIRST_PAGE = """
Elektro Baumann e.K. · Ringstraße 7 · 70173 Stuttgart

Firma
Hausverwaltung Klein GmbH
Am Markt 3
70372 Stuttgart

                                                        Rechnungs-Nr.:   2023/4711
                                                        Datum:           04.12.2023
Rechnung

Pos.  Bezeichnung                              Menge   Einheit   E-Preis      G-Preis
1     Kabel NYM-J 3x1,5                        100     m            0,89        89,00
2     Steckdose Aufputz                        12      Stk          7,50        90,00
      weiß, mit Kinderschutz
3     Arbeitszeit Geselle                      8       Std         58,00       464,00
                                                         Übertrag              643,00
Elektro Baumann e.K.   Sparkasse   IBAN DE89 3704 0044 0532 0130 00   USt-IdNr. DE136695976
"""
SECOND_PAGE = """
Rechnungs-Nr.: 2023/4711                                Seite: 2 von 2

Pos.  Bezeichnung                              Menge   Einheit   E-Preis      G-Preis
                                                         Übertrag              643,00
4     Anfahrt                                  1       psch        35,00        35,00
5     Prüfprotokoll                            1       psch        42,00        42,00

                                               Zwischensumme netto             720,00
                                               zzgl. 19% MwSt.                 136,80
                                               Rechnungsbetrag                 856,80 EUR
"""


def test_table_goes_on_over_the_page_without_carried_sums_and_footers() -> None:
    found = read(FIRST_PAGE, SECOND_PAGE)
    assert items(found, "position", "description", "quantity", "unit", "amount") == [
        ("1", "Kabel NYM-J 3x1,5", "100", "m", "89,00"),
        ("2", "Steckdose Aufputz weiß, mit Kinderschutz", "12", "Stk", "90,00"),
        ("3", "Arbeitszeit Geselle", "8", "Std", "464,00"),
        ("4", "Anfahrt", "1", "psch", "35,00"),
        ("5", "Prüfprotokoll", "1", "psch", "42,00"),
    ]
    assert best(found, ["subtotal", "tax_total", "total", "customer_name"]) == {
        "subtotal": "720,00",
        "tax_total": "136,80",
        "total": "856,80 EUR",
        "customer_name": "Hausverwaltung Klein GmbH",
    }
    assert [row["amount"].page for row in found.tables["line_items"]] == [1, 1, 1, 2, 2]


def test_table_goes_on_where_the_next_page_repeats_no_header() -> None:
    second = SECOND_PAGE.replace(
        "Pos.  Bezeichnung                              Menge   Einheit   E-Preis      G-Preis", ""
    )
    assert len(items(read(FIRST_PAGE, second), "amount")) == 5


def test_table_without_a_header() -> None:
    found = read("""
Jane Miller Design
22 Elm Street, Boston, MA 02108

Invoice 1032
January 12, 2024

For: Harbor Coffee Co.

Logo concept and two revisions                                             $1,200.00
Business cards, print ready                  3        $100.00                $300.00
Social media templates                                                       $450.00

Total                                                                      $1,950.00
""")
    assert items(found, "description", "quantity", "unit_price", "amount") == [
        ("Logo concept and two revisions", None, None, "$1,200.00"),
        ("Business cards, print ready", "3", "$100.00", "$300.00"),
        ("Social media templates", None, None, "$450.00"),
    ]
    assert best(found, ["document_number", "issue_date", "vendor_name", "customer_name"]) == {
        "document_number": "1032",
        "issue_date": "January 12, 2024",
        "vendor_name": "Jane Miller Design",
        "customer_name": "Harbor Coffee Co.",
    }


def test_labelled_amounts_without_a_table_are_no_items() -> None:
    found = read("""
Invoice 77                                  12 March 2024

Amount due:                                        120.00
Due date:                                   30 March 2024
""")
    assert "line_items" not in found.tables


def test_stacked_header_and_prices_told_apart_by_place() -> None:
    found = read("""
FACTURE N° 2024-056                                     Le 18 mars 2024

                                                Prix
Désignation                        Qté       unitaire      Remise          Prix
                                                 HT                          HT
Savon de lavande                    6           3,50        10 %          18,90
Miel de montagne                    8          12,40                      99,20

                                                   Total HT              118,10
""")
    assert items(found, "description", "quantity", "unit_price", "discount", "amount") == [
        ("Savon de lavande", "6", "3,50", "10 %", "18,90"),
        ("Miel de montagne", "8", "12,40", None, "99,20"),
    ]


def test_description_that_begins_above_its_numbers() -> None:
    found = read("""
FATTURA N. 12 del 30/04/2024

Descrizione                                            Ore       Tariffa       Totale
Consulenza per il piano urbano
della mobilità                                          40         60,00     2.400,00
Riunioni con gli uffici                                 10         60,00       600,00

Totale imponibile                                                            3.000,00
""")
    assert items(found, "description", "quantity") == [
        ("Consulenza per il piano urbano della mobilità", "40"),
        ("Riunioni con gli uffici", "10"),
    ]


def test_discount_line_is_a_line_and_a_column_of_tax_amounts_no_rate() -> None:
    found = read("""
INVOICE No. A-99812                                       21/02/2024

Code    Description                 Qty      Price       Net       VAT
P10     A4 paper box                10       20.00     200.00     40.00
        Discount 10%                                   -20.00     -4.00
P11     Blue pens (50)               4       12.50      50.00     10.00

        Goods total                                    230.00
        Carriage                                        10.00
        VAT 20%                                         48.00
        Invoice total                                 £288.00
""")
    assert items(found, "product_code", "description", "amount", "tax_rate") == [
        ("P10", "A4 paper box", "200.00", None),
        (None, "Discount 10%", "-20.00", None),
        ("P11", "Blue pens (50)", "50.00", None),
    ]
    assert best(found, ["subtotal", "shipping", "tax_total", "total"]) == {
        "subtotal": "230.00",
        "shipping": "10.00",
        "tax_total": "48.00",
        "total": "£288.00",
    }


def test_tax_lines_of_several_rates_are_not_the_sum_of_taxes() -> None:
    found = read("""
Fatura FT 2024/157                                   Data: 2024-01-31

Artigo     Descrição                    Qtd.     Un.     Preço     IVA      Valor
PA01       Pão de forma                 100      UN       1,20       6     120,00
CR02       Croissant                    180      UN       0,80      13     144,00

Taxa       Incidência      Valor IVA                 Total Líquido         264,00
6%             120,00           7,20                 IVA                    25,92
13%            144,00          18,72                 Total a pagar         289,92 EUR
""")
    rows = [{k: c.raw for k, c in row.items()} for row in found.tables["tax_lines"]]
    assert rows == [
        {"rate": "6%", "base": "120,00", "amount": "7,20"},
        {"rate": "13%", "base": "144,00", "amount": "18,72"},
    ]
    assert best(found, ["subtotal", "tax_total", "total"]) == {
        "subtotal": "264,00",
        "tax_total": "25,92",
        "total": "289,92 EUR",
    }


def test_candidates_carry_their_words_and_page() -> None:
    found = read(FIRST_PAGE, SECOND_PAGE)
    total = found.fields["total"][0]
    assert (total.page, [word.text for word in total.words]) == (2, ["856,80", "EUR"])
    assert total.label == "Rechnungsbetrag"
    description = found.tables["line_items"][1]["description"]
    assert [word.text for word in description.words][:3] == ["Steckdose", "Aufputz", "weiß,"]

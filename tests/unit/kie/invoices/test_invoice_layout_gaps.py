"""Values of invoices where another layout puts something beside them that looks the same."""

from __future__ import annotations

from drawn_pages import best, items, read


def field(picture: str, name: str) -> str | None:
    return best(read(picture), [name])[name]


def test_a_code_behind_client_is_no_name() -> None:
    found = read("""
FACTURE N° F-117                                          Client : DUR-304

                                                          SCI DES LILAS
                                                          4 allée du Lac
                                                          24100 BERGERAC
""")
    assert best(found, ["customer_name", "customer_id"]) == {
        "customer_name": "SCI DES LILAS",
        "customer_id": "DUR-304",
    }


def test_the_date_of_a_letter_and_not_of_its_lines() -> None:
    picture = """
Dr. Ute Brandt
Lindenallee 5, 34117 Kassel

                                              Kassel, den 3. Februar 2026
Rechnungsnummer 26/0311

Datum        Ziffer  Zahn    Leistung                         Faktor     Betrag
14.01.26     0010            Eingehende Untersuchung             2,3      12,94
21.01.26     1040    28      Zahnreinigung                       2,3     101,40

                             Gesamtbetrag                      EUR      114,34
"""
    assert field(picture, "issue_date") == "3. Februar 2026"


def test_place_and_date_are_the_letters_wherever_they_stand() -> None:
    picture = "\n" * 32 + "Lyon, le 4 mai 2026\n\nVotre visite du 2 mai 2026 chez nous"
    found = read(picture, language="fr").fields["issue_date"]
    assert found[0].raw == "4 mai 2026"
    assert found[0].score > 0.5


def test_a_columns_currency_is_not_the_documents() -> None:
    picture = """
S/N  Description          Currency   Qty     Unit price    Amount
1    Ocean freight        USD          1        950.00      950.00
2    Handling             SGD          1        215.00      215.00

                                     Total              1,165.00
"""
    assert field(picture, "currency") is None
    assert field("Currency: SGD", "currency") == "SGD"


def test_a_ledger_totals_debit_and_credit_not_what_is_left() -> None:
    found = read("""
Date          Particulars                    Debit          Credit       Balance
17-Aug-2026   Room                         4,500.00                      4,500.00
17-Aug-2026   Tax                            540.00                      5,040.00
18-Aug-2026   Room                         4,500.00                      9,540.00
18-Aug-2026   Tax                            540.00                     10,080.00
19-Aug-2026   Card payment                               10,080.00           0.00

              Total                       10,080.00      10,080.00           0.00
""")
    assert found.fields["total"][0].raw == "10,080.00"
    assert {c.raw for c in found.fields.get("amount_due", ())} <= {"10,080.00"}


def test_freight_with_a_price_is_a_line_and_not_carried_over() -> None:
    found = read(
        """
Benämning                       Antal   Enhet      À-pris        Belopp
Minigrävare                     12,00   dygn     1 450,00     17 400,00
Transport tur/retur              2,00   st       1 875,00      3 750,00
Försäkring                                                        870,00

Att betala                                                     22 020,00
""",
        language="sv",
    )
    assert items(found, "description", "amount") == [
        ("Minigrävare", "17 400,00"),
        ("Transport tur/retur", "3 750,00"),
        ("Försäkring", "870,00"),
    ]


def test_a_column_of_taxes_is_not_the_amount() -> None:
    found = read("""
Description                Quantité    Prix unitaire HT    % TVA    Total TVA    Total TTC
Cahiers 96 pages                 50              1,20 €     20 %      12,00 €      72,00 €
Classeurs A4                     10              2,80 €     20 %       5,60 €      33,60 €

                                            Total TTC             105,60 €
""")
    assert items(found, "amount") == [("72,00 €",), ("33,60 €",)]


def test_digits_of_a_tax_number_are_no_phone_of_the_sender() -> None:
    found = read(
        """
Sophie Delval
Rue du Moulin 17
1300 Wavre
                                               Étude Lambert
                                               Avenue Louise 221
                                               1050 Bruxelles
                                               TVA BE 0403.170.701

NOTE D'HONORAIRES 2026/014
""",
        language="fr",
    )
    assert best(found, ["vendor_name", "customer_name", "customer_address"]) == {
        "vendor_name": "Sophie Delval",
        "customer_name": "Étude Lambert",
        "customer_address": "Avenue Louise 221, 1050 Bruxelles",
    }

"""Whole invoices of several trades: a building merchant, a hotel, a consultant, a subscription."""

from __future__ import annotations

from drawn_pages import best, items, read

MALAYSIA = """
                         MAJU JAYA TRADING SDN BHD (123456-X)
                 No. 12, Jalan Industri 3, Taman Perindustrian, 81100 Johor Bahru
                     Tel: 07-355 1234   Fax: 07-355 1235   SST ID: J12-1808-31012345

                                        TAX INVOICE

To: SYARIKAT PEMBINAAN HEBAT SDN BHD                       Invoice No   : IV-00871
    Lot 5, Jalan Mawar                                     Date         : 08/04/2024
    81200 Johor Bahru                                      Terms        : 30 Days
    Attn: Mr Lim                                           D/O No       : DO-5521
                                                           Page         : 1 of 1

No  Item Code   Description                     Qty  UOM    U/Price      Disc     Amount (RM)
1   CEM-50      Portland Cement 50kg            100  BAG      18.50               1,850.00
2   BRK-01      Clay bricks                    2000  PCS       0.55      5.00%    1,045.00

RINGGIT MALAYSIA TWO THOUSAND EIGHT HUNDRED NINETY FIVE ONLY
                                                        Sub Total :            2,895.00
                                                        SST 6%    :              173.70
                                                        Rounding  :                0.00
                                                        Total (RM):            3,068.70
"""

HOTEL = """
Hotel Seeblick
Seestraße 12, 88131 Lindau, Deutschland
Tel. +49 8382 12345  ·  info@seeblick-hotel.example  ·  USt-IdNr. DE136695976

Frau
Erika Mustermann
Lindenallee 7
50667 Köln

Rechnung                        Rechnungs-Nr. 20240815
                                Anreise: 12.08.2024   Abreise: 15.08.2024
                                Zimmer 204            Datum 15.08.2024

Datum        Leistung                       Anzahl     Einzelpreis        Betrag      MwSt
12.08.2024   Übernachtung Doppelzimmer           3        120,00 €      360,00 €       7%
12.08.2024   Frühstück                           6         15,00 €       90,00 €      19%
14.08.2024   Getränke Restaurant                 1         24,50 €       24,50 €      19%

Gesamtbetrag inkl. MwSt.                                                474,50 €
darin enthalten 7% MwSt. auf 336,45 €                                    23,55 €
darin enthalten 19% MwSt. auf 96,22 €                                    18,28 €
Bezahlt per Kreditkarte                                                 474,50 €
Offener Betrag                                                            0,00 €
"""

SWITZERLAND = """
Bergmann Informatik AG
Bahnhofstrasse 10
8001 Zürich                                              Zürich, 12. März 2024
CHE-123.456.788 MWST

                                                         Gemeindeverwaltung
                                                         Dorfplatz 1
                                                         6300 Zug

Rechnung 24-0312

Ihre Bestellung: B-991 vom 01.03.2024
Zahlbar bis: 11.04.2024

Artikel                                  Anzahl      Preis/Einheit      Total CHF
Serverwartung Februar                      12.5             160.00       2'000.00
Lizenzen Office                              10              22.50         225.00

Total exkl. MWST                                                         2'225.00
MWST 8.1%                                                                  180.25
Total inkl. MWST CHF                                                     2'405.25

IBAN CH93 0076 2011 6238 5295 7
"""

SUBSCRIPTION = """
Datastream Ltd.                                                                 Invoice
3 Finsbury Sq, London EC2A 1AE, United Kingdom
VAT ID GB123456782

Invoice number   8F2A91-0007
Date of issue    April 3, 2024
Date due         April 3, 2024

Datastream Ltd.                          Bill to
3 Finsbury Sq                            Fjord Analytics AS
London EC2A 1AE                          Storgata 1
United Kingdom                           0155 Oslo
billing@datastream.example               Norway
                                         accounts@fjord.example

€236.00 due April 3, 2024

Description                                      Qty        Unit price        Tax         Amount
Team plan
Apr 3 – May 3, 2024                                8            €25.00         0%        €200.00
Extra storage (per 100 GB)                         3            €12.00         0%         €36.00

                                                  Subtotal                               €236.00
                                                  Total excluding tax                    €236.00
                                                  VAT - Norway (0% on €236.00)             €0.00
                                                  Total                                  €236.00
                                                  Amount due                             €236.00
"""


def test_malaysian_invoice_with_an_indented_address() -> None:
    found = read(MALAYSIA)
    assert best(found, ["document_number", "vendor_name", "customer_name", "customer_address"]) == {
        "document_number": "IV-00871",
        "vendor_name": "MAJU JAYA TRADING SDN BHD (123456-X)",
        "customer_name": "SYARIKAT PEMBINAAN HEBAT SDN BHD",
        "customer_address": "Lot 5, Jalan Mawar, 81200 Johor Bahru",
    }
    assert best(found, ["vendor_phone", "payment_terms", "subtotal", "tax_total", "total"]) == {
        "vendor_phone": "07-355 1234",
        "payment_terms": "30 Days",
        "subtotal": "2,895.00",
        "tax_total": "173.70",
        "total": "3,068.70",
    }
    assert items(found, "product_code", "quantity", "unit", "unit_price", "discount", "amount") == [
        ("CEM-50", "100", "BAG", "18.50", None, "1,850.00"),
        ("BRK-01", "2000", "PCS", "0.55", "5.00%", "1,045.00"),
    ]


def test_hotel_bill_whose_lines_have_dates() -> None:
    found = read(HOTEL)
    assert best(found, ["document_number", "issue_date", "vendor_name", "customer_name"]) == {
        "document_number": "20240815",
        "issue_date": "15.08.2024",
        "vendor_name": "Hotel Seeblick",
        "customer_name": "Erika Mustermann",
    }
    assert best(found, ["total", "amount_paid", "amount_due"]) == {
        "total": "474,50 €",
        "amount_paid": "474,50 €",
        "amount_due": "0,00 €",
    }
    assert items(found, "description", "quantity", "unit_price", "amount", "tax_rate") == [
        ("Übernachtung Doppelzimmer", "3", "120,00 €", "360,00 €", "7%"),
        ("Frühstück", "6", "15,00 €", "90,00 €", "19%"),
        ("Getränke Restaurant", "1", "24,50 €", "24,50 €", "19%"),
    ]


def test_swiss_invoice() -> None:
    found = read(SWITZERLAND)
    assert best(
        found, ["document_number", "issue_date", "due_date", "purchase_order", "vendor_tax_id"]
    ) == {
        "document_number": "24-0312",
        "issue_date": "12. März 2024",
        "due_date": "11.04.2024",
        "purchase_order": "B-991",
        "vendor_tax_id": "CHE-123.456.788",
    }
    assert best(found, ["vendor_name", "customer_name", "subtotal", "tax_total", "total"]) == {
        "vendor_name": "Bergmann Informatik AG",
        "customer_name": "Gemeindeverwaltung",
        "subtotal": "2'225.00",
        "tax_total": "180.25",
        "total": "2'405.25",
    }
    assert items(found, "description", "quantity", "unit_price", "amount") == [
        ("Serverwartung Februar", "12.5", "160.00", "2'000.00"),
        ("Lizenzen Office", "10", "22.50", "225.00"),
    ]


def test_subscription_invoice_with_the_product_above_its_period() -> None:
    found = read(SUBSCRIPTION)
    assert best(found, ["document_number", "issue_date", "due_date", "customer_name"]) == {
        "document_number": "8F2A91-0007",
        "issue_date": "April 3, 2024",
        "due_date": "April 3, 2024",
        "customer_name": "Fjord Analytics AS",
    }
    assert items(found, "description", "quantity", "unit_price", "tax_rate", "amount") == [
        ("Team plan Apr 3 – May 3, 2024", "8", "€25.00", "0%", "€200.00"),
        ("Extra storage (per 100 GB)", "3", "€12.00", "0%", "€36.00"),
    ]

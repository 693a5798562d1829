"""Letterheads in one line, sums in boxes, and rows that carry a sum to the next page."""

from __future__ import annotations

import pytest
from drawn_pages import best, items, read

PARTIES = ["vendor_name", "vendor_address", "customer_name", "customer_address", "vendor_phone"]


@pytest.mark.parametrize(
    "line",
    [
        "Marktplatz 145a 45398 Falkenstadt",
        "Marktplatz 145a | 45398 Falkenstadt",
        "Marktplatz 145a · 45398 Falkenstadt",
    ],
)
def test_a_letterhead_in_one_line_is_the_sellers_and_keeps_no_bars(line: str) -> None:
    findings = read(
        f"""
Weidenhof Gartenbau GmbH
{line}
Tel. 030 1234567   post@weidenhof.example

Rechnungsnummer   A2543031               Haselfeld Metallbau GmbH
Datum             23.12.2025             Industriestraße 45
                                         16201 Grüningen
                                         USt-IdNr. DE123456788

Beschreibung                 Menge     Einzelpreis       Betrag
Filterpatrone                   24           27,40       657,60
                                   Summe                 657,60
"""
    )
    assert best(findings, PARTIES[:4]) == {
        "vendor_name": "Weidenhof Gartenbau GmbH",
        "vendor_address": "Marktplatz 145a, 45398 Falkenstadt",
        "customer_name": "Haselfeld Metallbau GmbH",
        "customer_address": "Industriestraße 45, 16201 Grüningen",
    }


def test_a_dash_before_a_state_is_kept_and_a_post_code_is_no_phone_number() -> None:
    findings = read(
        """
Novaclara Informática LTDA
Rua 25 de Abril, 48B
Alva Real - RJ 35852-620

FATURA Nº 2024/17                        Data: 08/09/2024

Descrição                  Quantidade     Preço        Valor
Consultoria                         2    100,00       200,00
                                        Total         200,00
"""
    )
    found = best(findings, ["vendor_address", "vendor_phone"])
    assert found["vendor_address"] == "Rua 25 de Abril, 48B, Alva Real - RJ 35852-620"
    assert found["vendor_phone"] is None


def test_a_label_of_two_words_for_the_buyer_is_no_name() -> None:
    findings = read(
        """
Olmmonte Reformas S.L.
Calle San Juan, 154
28014 Madrid

Cliente / Razón social
Lomanares Reformas S.A.
Camino Real, 119
38192 Camposeca

FACTURA 2024-7        Fecha 11/09/2024
Concepto                   Cantidad     Precio     Importe
Asesoría                          2     100,00      200,00
                                     Total          200,00
"""
    )
    assert best(findings, ["customer_name", "customer_address"]) == {
        "customer_name": "Lomanares Reformas S.A.",
        "customer_address": "Camino Real, 119, 38192 Camposeca",
    }


TABLE = """
Pos   Beschreibung                Menge     Einzelpreis     USt.     Betrag
1     Regalbrett Eiche                3           85,00     A        255,00
2     Kopierpapier                   10            5,00     B         50,00

"""


def test_the_total_may_have_a_box_of_its_own_under_the_others() -> None:
    findings = read(
        TABLE
        + """
Gesamt netto                      USt. 20 %
        305,00                       61,00

Zu zahlender Betrag

                             366,00 EUR

Zahlung: 21 Tage netto
"""
    )
    found = best(findings, ["subtotal", "total"])
    assert found == {"subtotal": "305,00", "total": "366,00 EUR"}


def test_taxes_in_boxes_are_tax_lines_and_explain_the_letters_of_the_rows() -> None:
    findings = read(
        TABLE
        + """
Nettosumme        A = USt. 20 %       B = USt. 10 %       Gesamtsumme

305,00            51,00               5,00                361,00
"""
    )
    lines = findings.tables["tax_lines"]
    assert [(line["rate"].raw, line["amount"].raw) for line in lines] == [
        ("20 %", "51,00"),
        ("10 %", "5,00"),
    ]
    assert items(findings, "tax_rate") == [("20 %",), ("10 %",)]


def test_sums_in_boxes_whose_labels_could_head_columns_are_no_line_items() -> None:
    findings = read(
        """
Item                        Quantity     Unit price     Amount
Travel                             2         843.44   1,686.88
Brush set                          1         616.28     616.28

Subtotal                  Service Tax 6%              Amount

2,303.16                  138.19                      2,441.35
"""
    )
    assert items(findings, "description", "amount") == [
        ("Travel", "1,686.88"),
        ("Brush set", "616.28"),
    ]
    assert best(findings, ["subtotal", "tax_total"]) == {
        "subtotal": "2,303.16",
        "tax_total": "138.19",
    }


def test_a_sum_that_is_carried_to_the_next_page_is_no_freight() -> None:
    first = """
Nr.   Omschrijving                Aantal     Prijs      Bedrag
1     Werkhandschoenen                12    316,10    3.793,20
2     Kopieerpapier                    5    106,26      531,30
Transport                                             4.324,50
"""
    second = """
Nr.   Omschrijving                Aantal     Prijs      Bedrag
Transport                                             4.324,50
3     Plank eiken                      2     31,00       62,00
                                  Totaal              4.386,50
"""
    assert "shipping" not in read(first, second, language="nl").fields
    alone = second.replace("Transport  ", "\nTransport").replace("4.324,50", "  12,00")
    assert "shipping" in read(alone.replace("Transport", "", 1) + "Transport   12,00\n").fields


def test_the_net_column_is_the_amount_where_a_discount_is_taken_off() -> None:
    findings = read(
        """
Detalle                  Unidades    Precio    Desc.    Importe neto    IVA %    Importe total
Alojamiento web                12     40,04    72,07          408,41     21 %           494,18
Lámpara de mesa                 8    323,81                 2.590,48     10 %         2.849,53
Total                                                                                 3.343,71
""",
        language="es",
    )
    assert items(findings, "amount", "tax_rate") == [("408,41", "21 %"), ("2.590,48", "10 %")]


def test_a_column_of_the_rate_beside_one_of_the_tax() -> None:
    findings = read(
        """
Услуга                     Кол-во      Цена       Всего     НДС %      НДС    Всего с НДС
Лампа настольная                2    100,00      200,00      20 %    40,00         240,00
Картридж фильтра                3     50,00      150,00      10 %    15,00         165,00
Итого                                                                              405,00
""",
        language="ru",
    )
    assert items(findings, "amount", "tax_rate") == [("200,00", "20 %"), ("150,00", "10 %")]

"""Whole invoices in layouts and languages that differ, drawn by hand."""

from __future__ import annotations

from drawn_pages import best, items, read

US = """
Northwind Hardware Inc.                                                             INVOICE
455 Industrial Blvd
Portland, OR 97209                                          Invoice #             INV-20417
Phone: (503) 555-0142                                       Invoice Date          03/14/2024
www.northwindhardware.com                                   Due Date              04/13/2024
                                                            P.O. Number           PO-88213

Bill To                                 Ship To
Lakeside Builders LLC                   Lakeside Builders - Yard 2
Attn: Dana Cole                         19 Harbor Road
1200 Lake Street                        Tacoma, WA 98402
Seattle, WA 98101

Item        Description                              Qty        Unit Price          Amount
HX-100      Hex bolt, galvanized                     200             $0.45          $90.00
            M8 x 40, box of 50
PL-2        Steel plate 4x8                            3           $120.00         $360.00
DRL         Drill bit set                              1            $49.99          $49.99

                                                              Subtotal             $499.99
                                                              Sales Tax (8%)        $40.00
                                                              Shipping              $25.00
                                                              Total                $564.99
                                                              Amount Paid          $100.00
                                                              Balance Due          $464.99

Payment Terms: Net 30
Thank you for your business!
"""

UK = """
                        Thistle & Crown Catering Ltd
              14 Canal Street, Leeds, LS1 4DY   VAT Reg No: GB 123 4567 82

INVOICE

To:                                             Invoice No:        4471
Pemberton Events plc                            Date:              7 May 2024
2 Market Square                                 Account No:        PEM001
York                                            Payment due by:    6 June 2024
YO1 8SN

Description                                  Quantity     Price        VAT %        Net Amount
Buffet lunch for forty guests                      40     12.50           20            500.00
Table linen hire                                   10      4.00           20             40.00
Children's menu                                     5      6.00            0             30.00

                                                           Net total                    570.00
                                                           VAT @ 20%                    108.00
                                                           Total to pay                 678.00

Please make payment to Thistle & Crown Catering Ltd
Sort code 12-34-56  Account 12345678
Company No. 07654321 registered in England and Wales
"""

SPAIN = """
Talleres Ibarra, S.L.                                             FACTURA
C/ Mayor, 24
48001 Bilbao                                                      Nº Factura:  F24/0187
CIF: B95123456                                                    Fecha:       15/02/2024
Tel. 944 123 456                                                  Vencimiento: 15/03/2024

Cliente:
Construcciones Aldama, S.A.
Avda. de la Libertad, 5
20004 San Sebastián
NIF: A20123457

Código      Concepto                               Cantidad       Precio      Dto.      Importe
R-10        Revisión de maquinaria                     1,00       350,00                350,00
P-221       Filtro de aceite                           4,00        22,50       10%       81,00
MO          Mano de obra                               6,50        40,00                260,00

                              Base imponible               % IVA                 Cuota IVA
                                      691,00                21%                     145,11

                                                                  Total factura       836,11 €

Forma de pago: Transferencia bancaria
IBAN: ES91 2100 0418 4502 0005 1332
"""

POLAND = """
                                                             Faktura VAT nr FV/12/03/2024
                                           Miejsce i data wystawienia: Kraków, 2024-03-05
                                                              Data sprzedaży: 2024-03-04
                                                             Termin płatności: 2024-03-19

Sprzedawca                                         Nabywca
Drukarnia Wisła Sp. z o.o.                         Kwiaciarnia Róża Anna Nowak
ul. Długa 15                                       ul. Polna 8/3
31-147 Kraków                                      00-625 Warszawa
NIP: 676-000-10-20                                 NIP: 526-000-12-46

Lp.  Nazwa towaru        J.m.   Ilość   Cena netto   Wartość netto   VAT   Kwota VAT   Brutto
1    Ulotki A5           szt.     500         0,40          200,00   23%       46,00   246,00
2    Plakaty B2          szt.      20        15,00          300,00   23%       69,00   369,00

                                           Razem            500,00            115,00   615,00

Do zapłaty: 615,00 PLN
Sposób płatności: przelew
Nr konta: PL61 1090 1014 0000 0712 1981 2874
"""

ITALY = """
Officine Rinaldi S.r.l.
Via Garibaldi 12 - 40121 Bologna
P.IVA 01234567897

FATTURA N. 87/2024                      del 12/01/2024

Spett.le
Bianchi Arredamenti S.p.A.
Corso Italia 101
20122 Milano

Descrizione                                   Quantità     Prezzo unitario     Importo     IVA
Lavorazione banco in acciaio                         2              410,00      820,00     22%
Trasporto e consegna                                 1               80,00       80,00     22%

                                                             Imponibile         900,00
                                                             IVA 22%            198,00
                                                             Totale fattura   1.098,00

Scadenza: 11/02/2024
"""

RUSSIA = """
Счет на оплату № 245 от 12 марта 2024 г.

Поставщик:   ООО "Северный ветер", ИНН 7707083893, 190000, Санкт-Петербург, Невский пр. 10
Покупатель:  ООО "Ромашка", ИНН 7736050003, 115035, Москва, ул. Садовническая 3

№     Товары (работы, услуги)                  Кол-во     Ед.          Цена           Сумма
1     Бумага офисная А4                            10     пач.       350,00        3 500,00
2     Картридж для принтера                         2     шт.      2 400,00        4 800,00

                                                                   Итого:          8 300,00
                                                        В том числе НДС:           1 383,33
                                                        Всего к оплате:            8 300,00
"""


def test_american_invoice() -> None:
    found = read(US)
    assert best(
        found,
        ["document_number", "issue_date", "due_date", "purchase_order", "vendor_name"],
    ) == {
        "document_number": "INV-20417",
        "issue_date": "03/14/2024",
        "due_date": "04/13/2024",
        "purchase_order": "PO-88213",
        "vendor_name": "Northwind Hardware Inc.",
    }
    assert best(found, ["customer_name", "customer_address", "shipping_address"]) == {
        "customer_name": "Lakeside Builders LLC",
        "customer_address": "1200 Lake Street, Seattle, WA 98101",
        "shipping_address": "19 Harbor Road, Tacoma, WA 98402",
    }
    assert best(
        found, ["subtotal", "tax_total", "shipping", "total", "amount_paid", "amount_due"]
    ) == {
        "subtotal": "$499.99",
        "tax_total": "$40.00",
        "shipping": "$25.00",
        "total": "$564.99",
        "amount_paid": "$100.00",
        "amount_due": "$464.99",
    }
    assert items(found, "product_code", "description", "quantity", "unit_price", "amount") == [
        ("HX-100", "Hex bolt, galvanized M8 x 40, box of 50", "200", "$0.45", "$90.00"),
        ("PL-2", "Steel plate 4x8", "3", "$120.00", "$360.00"),
        ("DRL", "Drill bit set", "1", "$49.99", "$49.99"),
    ]
    assert best(found, ["vendor_phone", "vendor_website", "payment_terms"]) == {
        "vendor_phone": "(503) 555-0142",
        "vendor_website": "www.northwindhardware.com",
        "payment_terms": "Net 30",
    }


def test_british_invoice() -> None:
    found = read(UK)
    assert best(
        found,
        [
            "document_number",
            "issue_date",
            "due_date",
            "customer_id",
            "vendor_name",
            "customer_name",
        ],
    ) == {
        "document_number": "4471",
        "issue_date": "7 May 2024",
        "due_date": "6 June 2024",
        "customer_id": "PEM001",
        "vendor_name": "Thistle & Crown Catering Ltd",
        "customer_name": "Pemberton Events plc",
    }
    assert best(found, ["customer_address", "vendor_tax_id", "vendor_registration_id"]) == {
        "customer_address": "2 Market Square, York, YO1 8SN",
        "vendor_tax_id": "GB 123 4567 82",
        "vendor_registration_id": "07654321",
    }
    assert best(found, ["subtotal", "tax_total", "total"]) == {
        "subtotal": "570.00",
        "tax_total": "108.00",
        "total": "678.00",
    }
    assert items(found, "description", "quantity", "unit_price", "tax_rate", "amount") == [
        ("Buffet lunch for forty guests", "40", "12.50", "20", "500.00"),
        ("Table linen hire", "10", "4.00", "20", "40.00"),
        ("Children's menu", "5", "6.00", "0", "30.00"),
    ]


def test_spanish_invoice() -> None:
    found = read(SPAIN)
    assert best(
        found, ["document_number", "issue_date", "due_date", "vendor_name", "customer_name"]
    ) == {
        "document_number": "F24/0187",
        "issue_date": "15/02/2024",
        "due_date": "15/03/2024",
        "vendor_name": "Talleres Ibarra, S.L.",
        "customer_name": "Construcciones Aldama, S.A.",
    }
    assert best(found, ["vendor_tax_id", "customer_tax_id", "iban"]) == {
        "vendor_tax_id": "B95123456",
        "customer_tax_id": "A20123457",
        "iban": "ES91 2100 0418 4502 0005 1332",
    }
    assert best(found, ["subtotal", "tax_total", "total"]) == {
        "subtotal": "691,00",
        "tax_total": "145,11",
        "total": "836,11 €",
    }
    assert items(found, "product_code", "description", "quantity", "discount", "amount") == [
        ("R-10", "Revisión de maquinaria", "1,00", None, "350,00"),
        ("P-221", "Filtro de aceite", "4,00", "10%", "81,00"),
        ("MO", "Mano de obra", "6,50", None, "260,00"),
    ]


def test_polish_invoice_with_parties_side_by_side() -> None:
    found = read(POLAND)
    assert best(
        found,
        ["document_number", "issue_date", "due_date", "delivery_date", "vendor_name"],
    ) == {
        "document_number": "FV/12/03/2024",
        "issue_date": "2024-03-05",
        "due_date": "2024-03-19",
        "delivery_date": "2024-03-04",
        "vendor_name": "Drukarnia Wisła Sp. z o.o.",
    }
    assert best(
        found, ["customer_name", "customer_address", "vendor_tax_id", "customer_tax_id"]
    ) == {
        "customer_name": "Kwiaciarnia Róża Anna Nowak",
        "customer_address": "ul. Polna 8/3, 00-625 Warszawa",
        "vendor_tax_id": "676-000-10-20",
        "customer_tax_id": "526-000-12-46",
    }
    assert best(found, ["total", "amount_due"]) == {
        "total": "615,00",
        "amount_due": "615,00 PLN",
    }
    assert items(found, "position", "description", "quantity", "unit_price", "amount") == [
        ("1", "Ulotki A5", "500", "0,40", "200,00"),
        ("2", "Plakaty B2", "20", "15,00", "300,00"),
    ]


def test_italian_invoice() -> None:
    found = read(ITALY)
    assert best(
        found, ["document_number", "issue_date", "due_date", "vendor_name", "customer_name"]
    ) == {
        "document_number": "87/2024",
        "issue_date": "12/01/2024",
        "due_date": "11/02/2024",
        "vendor_name": "Officine Rinaldi S.r.l.",
        "customer_name": "Bianchi Arredamenti S.p.A.",
    }
    assert best(found, ["vendor_tax_id", "subtotal", "tax_total", "total"]) == {
        "vendor_tax_id": "01234567897",
        "subtotal": "900,00",
        "tax_total": "198,00",
        "total": "1.098,00",
    }
    assert items(found, "description", "quantity", "unit_price", "amount", "tax_rate") == [
        ("Lavorazione banco in acciaio", "2", "410,00", "820,00", "22%"),
        ("Trasporto e consegna", "1", "80,00", "80,00", "22%"),
    ]


def test_russian_invoice_with_parties_in_one_line() -> None:
    found = read(RUSSIA)
    assert best(found, ["document_number", "issue_date"]) == {
        "document_number": "245",
        "issue_date": "12 марта 2024",
    }
    assert best(found, ["vendor_name", "customer_name", "vendor_tax_id", "customer_tax_id"]) == {
        "vendor_name": 'ООО "Северный ветер"',
        "customer_name": 'ООО "Ромашка"',
        "vendor_tax_id": "7707083893",
        "customer_tax_id": "7736050003",
    }
    assert best(found, ["tax_total", "total", "amount_due"]) == {
        "tax_total": "1 383,33",
        "total": "8 300,00",
        "amount_due": "8 300,00",
    }
    assert items(found, "position", "description", "quantity", "unit", "unit_price", "amount") == [
        ("1", "Бумага офисная А4", "10", "пач.", "350,00", "3 500,00"),
        ("2", "Картридж для принтера", "2", "шт.", "2 400,00", "4 800,00"),
    ]

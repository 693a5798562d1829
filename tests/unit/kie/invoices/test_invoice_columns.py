"""Columns of line items by heading and content, codes in descriptions, groups, sums in strips."""

from __future__ import annotations

from decimal import Decimal

import pytest
from drawn_pages import best, items, read

from lib.kie.invoices.table_roles import Printed, roles_of

NOTHING = Printed(frozenset(), frozenset())


def test_unknown_headings_get_their_roles_from_what_stands_below_them() -> None:
    texts = {
        "unnamed 0": ["1", "2", "3"],
        "unnamed 1": ["A-1001", "B-2002", "A-3003"],
        "description": [None, None, None],
        "unnamed 3": ["2", "10", "1,5"],
        "unnamed 4": ["kg", "m", "kg"],
        "unnamed 5": ["3,50", "1,20", "8,00"],
        "unnamed 6": ["19", "7", "19"],
        "amount": ["7,00", "12,00", "12,00"],
    }
    rates = Printed(frozenset({Decimal(19), Decimal(7)}), frozenset())
    assert roles_of(texts, ",", rates) == {
        "unnamed 0": "position",
        "unnamed 1": "product_code",
        "description": "description",
        "unnamed 3": "quantity",
        "unnamed 4": "unit",
        "unnamed 5": "unit_price",
        "unnamed 6": "tax_rate",
        "amount": "amount",
    }


def test_the_product_decides_between_net_and_gross_amounts() -> None:
    texts = {
        "quantity": ["2", "3"],
        "unit_price": ["10.00", "5.00"],
        "unnamed 4": ["20.00", "15.00"],
        "amount": ["24.00", "18.00"],
    }
    assert roles_of(texts, ".", NOTHING) == {
        "quantity": "quantity",
        "unit_price": "unit_price",
        "unnamed 4": "amount",
    }


def test_a_heading_that_its_cells_contradict_is_not_believed() -> None:
    texts = {
        "quantity": ["kg", "m", "kg"],
        "unnamed 1": ["2", "10", "4"],
        "unit_price": ["3.50", "1.20", "8.00"],
        "amount": ["7.00", "12.00", "32.00"],
    }
    roles = roles_of(texts, ".", NOTHING)
    assert (roles["quantity"], roles["unnamed 1"]) == ("unit", "quantity")


HEAD = """
Brightwater Supplies Ltd
4 Dock Road, Leeds LS1 4AP

Invoice No. 4711                                         Date 12/03/2024

{lines}

                                                    Subtotal              {net}
                                                    VAT 20 %              {tax}
                                                    Total                 {total}
"""


def invoice(lines: str, net: str, tax: str, total: str) -> str:
    return HEAD.format(lines=lines.strip("\n"), net=net, tax=tax, total=total)


@pytest.mark.parametrize(
    "lines",
    [
        """
Description                               Qty       Unit price       Amount
A-1001 Copper pipe                          2            10.00        20.00
B-2002 Elbow joint                          4             5.00        20.00
""",
        """
Description                               Qty       Unit price       Amount
Copper pipe (A-1001)                        2            10.00        20.00
Elbow joint (B-2002)                        4             5.00        20.00
""",
        """
Description                               Qty       Unit price       Amount
Copper pipe                                 2            10.00        20.00
Item code: A-1001
Elbow joint                                 4             5.00        20.00
Item code: B-2002
""",
        """
Description                               Qty       Unit price       Amount
Copper pipe                                 2            10.00        20.00
A-1001
Elbow joint                                 4             5.00        20.00
B-2002
""",
    ],
)
def test_product_codes_come_out_of_the_description(lines: str) -> None:
    found = read(invoice(lines, "40.00", "8.00", "48.00"))
    assert items(found, "product_code", "description") == [
        ("A-1001", "Copper pipe"),
        ("B-2002", "Elbow joint"),
    ]


def test_numbers_that_only_some_descriptions_begin_with_are_no_codes() -> None:
    lines = """
Description                               Qty       Unit price       Amount
2024 maintenance                            1            10.00        10.00
Elbow joint                                 4             5.00        20.00
Copper pipe                                 1            10.00        10.00
"""
    found = read(invoice(lines, "40.00", "8.00", "48.00"))
    assert [row[0] for row in items(found, "product_code")] == [None, None, None]
    assert items(found, "description")[0] == ("2024 maintenance",)


def test_headings_of_groups_belong_to_no_line() -> None:
    lines = """
Description                               Qty       Unit price       Amount
Plumbing
Copper pipe, hard drawn, 22 mm              2            10.00        20.00
Elbow joint                                 4             5.00        20.00
Electrical
Cable                                       1            10.00        10.00
Switch                                      1            10.00        10.00
"""
    found = read(invoice(lines, "60.00", "12.00", "72.00"))
    assert items(found, "description") == [
        ("Copper pipe, hard drawn, 22 mm",),
        ("Elbow joint",),
        ("Cable",),
        ("Switch",),
    ]


def test_a_sum_under_an_unknown_label_is_no_line() -> None:
    lines = """
Description                               Qty       Unit price       Amount
Copper pipe                                 2            10.00        20.00
Elbow joint                                 4             5.00        20.00
Aggregate of positions                                                40.00
"""
    found = read(invoice(lines, "40.00", "8.00", "48.00"))
    assert items(found, "amount") == [("20.00",), ("20.00",)]


def test_letters_of_rates_are_read_by_the_sums_legend() -> None:
    found = read("""
Brightwater Supplies Ltd
4 Dock Road, Leeds LS1 4AP

Invoice No. 4711                                         Date 12/03/2024

Description                       Qty       Unit price    VAT         Amount
Copper pipe                         2            10.00     A           20.00
Book                                4             5.00     B           20.00

                                         Subtotal                      40.00
A = VAT 20 %                                                            4.00
B = VAT 5 %                                                             1.00
                                         Total                         45.00
""")
    assert items(found, "tax_rate") == [("20 %",), ("5 %",)]


def test_sums_in_boxes_side_by_side() -> None:
    found = read("""
Brightwater Supplies Ltd
4 Dock Road, Leeds LS1 4AP

Invoice No. 4711                                         Date 12/03/2024

Description                               Qty       Unit price       Amount
Copper pipe                                 2            10.00        20.00
Elbow joint                                 4             5.00        20.00

Subtotal                   VAT 20 %                  Total
                 40.00                     8.00                       48.00
""")
    assert best(found, ["subtotal", "tax_total", "total"]) == {
        "subtotal": "40.00",
        "tax_total": "8.00",
        "total": "48.00",
    }


def test_a_bare_word_for_number_labels_the_documents_own() -> None:
    found = read("""
Brightwater Supplies Ltd                                       No.:  2024-0815
4 Dock Road, Leeds LS1 4AP                                     Date: 12/03/2024

Invoice

Description                               Qty       Unit price       Amount
Copper pipe                                 2            10.00        20.00

                                                    Total             20.00
""")
    assert best(found, ["document_number"]) == {"document_number": "2024-0815"}


def test_an_address_that_is_set_at_the_right_edge() -> None:
    found = read("""
                                                         Brightwater Supplies Ltd
                                                                      4 Dock Road
                                                                    Leeds LS1 4AP
                                                                   United Kingdom

Bill to
Harbour Cafe Ltd
12 Mill Lane
York YO1 7AB
VAT No GB 999 9999 73

Invoice No. 4711                                         Date 12/03/2024

Description                               Qty       Unit price       Amount
Copper pipe                                 2            10.00        20.00

                                                    Total             20.00
""")
    assert best(found, ["vendor_name", "vendor_address", "customer_name", "customer_address"]) == {
        "vendor_name": "Brightwater Supplies Ltd",
        "vendor_address": "4 Dock Road, Leeds LS1 4AP, United Kingdom",
        "customer_name": "Harbour Cafe Ltd",
        "customer_address": "12 Mill Lane, York YO1 7AB",
    }

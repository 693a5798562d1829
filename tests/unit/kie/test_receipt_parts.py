"""The rules behind single receipt fields, each shown by the slip that needs it."""

from datetime import date

import pytest
from printed_receipts import printed

from lib.domain.document import PageSource
from lib.domain.extraction import Candidate, Hints
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.receipts.amounts import Role, labelled_amounts
from lib.kie.receipts.fields import find_receipt_fields

HINTS = Hints(received_on=date(2026, 1, 31))


def mentions_of(text: str, language: str | None = "en", **options) -> Mentions:
    return Mentions(lay_out([printed(text, **options)]), load_lexicon(), language)


def fields(text: str, language: str | None = "en", **options) -> dict[str, tuple[Candidate, ...]]:
    return dict(find_receipt_fields(mentions_of(text, language, **options), HINTS).fields)


def items(text: str, language: str = "en") -> list[dict[str, str]]:
    found = find_receipt_fields(mentions_of(text, language), HINTS).tables["line_items"]
    return [{name: cell.raw for name, cell in row.items()} for row in found]


@pytest.mark.parametrize(
    ("slip", "total"),
    [
        ("Subtotal  10.00\nTax  0.60\nTotal  10.60\nCash  20.00\nChange  9.40", "10.60"),
        # The label is lost, the arithmetic is not.
        ("Subtotal  10.00\nTax  0.60\nT0T,L:  10.60\nCash  20.00\nChange  9.40", "10.60"),
        # Rounded for cash: what is to be paid.
        ("Total  10.62\nRounding  -0.02\nTotal  10.60\nCash  10.60", "10.60"),
        ("Total  52.08\nRounding Adj  .02\nRounding  52.10\nCash  60.00\nChange  7.90", "52.10"),
        # More was handed over than was due.
        ("Grand Total  35.00\nCash  100.00\nChange  65.00", "35.00"),
        # A total of things, of savings and of tax is none.
        ("Milk  2.00\nBread  1.50\nTotal items  2\nTotal  3.50\nTotal savings  9.00", "3.50"),
        # The total in the tax table repeats the net amount.
        ("Total  53.00\nCash  53.00\nGST Summary  Amount  Tax\nTotal  50.00  3.00", "53.00"),
        # A discount stands between.
        ("Total value  49.93\nDiscount  1.93\nTo pay  48.00\nCard  48.00", "48.00"),
        # Goods taken back: the sum of two totals.
        ("Total supplies  39.01\nTotal returns  -18.80\nTotal payable  20.21", "20.21"),
    ],
)
def test_total(slip: str, total: str) -> None:
    assert fields(slip)["total"][0].raw == total


def test_no_total_without_money() -> None:
    assert "total" not in fields("Table 12\nGuests 4\nOrder 1029")


def test_equal_amounts_are_one_candidate() -> None:
    found = fields("Total  10.60\nVisa  10.60\nTip  1.00")["total"]
    assert [c.raw for c in found].count("10.60") == 1


def test_labels_above_an_amount_speak_when_its_row_has_none() -> None:
    mentions = mentions_of("Amount due\n                 12.40\n\nThank you")
    (amount,) = (a for a in labelled_amounts(mentions) if a.mention.is_money)
    assert amount.from_above
    assert amount.head is Role.TOTAL


def test_the_first_label_decides_what_an_amount_is() -> None:
    mentions = mentions_of("GST included in total  3.25")
    (amount,) = labelled_amounts(mentions)
    assert amount.head is Role.TAX


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("ACME TRADING SDN BHD (123456-X)\n12 High Street", "ACME TRADING SDN BHD"),
        ("Sunny Side\nACME FOODS LTD\n12 High Street", "ACME FOODS LTD"),
        ("THE OLD OAK (NORTH\nCENTRE) LTD\n12 High Street", "THE OLD OAK (NORTH CENTRE) LTD"),
        ("Thank you for your visit\nThe Old Oak\n12 High Street\nTel 020 7946 0000", "The Old Oak"),
        ("TAX INVOICE\nThe Old Oak\n12 High Street\nTel 020 7946 0000", "The Old Oak"),
        ("01/02/2019 12:30\nThe Old Oak\n12 High Street", "The Old Oak"),
    ],
)
def test_vendor_name(head: str, name: str) -> None:
    assert fields(f"{head}\n\nTea  2.00\nTotal  2.00")["vendor_name"][0].raw == name


def test_the_biggest_letters_name_the_vendor() -> None:
    slip = "fresh every day\nMEGAMART\nsince 1967\n\n\nTea  2.00\nTotal  2.00"
    assert fields(slip, tall=("MEGAMART",))["vendor_name"][0].raw == "MEGAMART"


@pytest.mark.parametrize(
    ("block", "address"),
    [
        ("12 High Street\nLeeds LS1 4DY\nTel 0113 496 0000", "12 High Street Leeds LS1 4DY"),
        ("18 rue de la Paix\n75002 Paris\nTél 01 23 45 67 89", "18 rue de la Paix 75002 Paris"),
        ("ul. Długa 5\n00-238 Warszawa\nNIP 5260250274", "ul. Długa 5 00-238 Warszawa"),
        ("Kerkstraat 12\n1017 GC Amsterdam\nTel 020-1234567", "Kerkstraat 12 1017 GC Amsterdam"),
    ],
)
def test_vendor_address(block: str, address: str) -> None:
    slip = f"Maison Blanche Ltd\n{block}\n\nTea  2.00\nTotal  2.00"
    assert fields(slip, None)["vendor_address"][0].raw == address


def test_specks_are_only_removed_from_ocr() -> None:
    slip = "ACME LTD\n12 JALAN MÁWAR\n81100 JOHOR\n\nTotal  2.00"
    assert fields(slip)["vendor_address"][0].raw == "12 JALAN MAWAR 81100 JOHOR"
    text_layer = fields(slip, source=PageSource.TEXT_LAYER)
    assert text_layer["vendor_address"][0].raw == "12 JALAN MÁWAR 81100 JOHOR"


@pytest.mark.parametrize(
    ("slip", "printed_date"),
    [
        ("Expires 31/12/2024\nDate: 05/06/2023\nTotal  2.00", "05/06/2023"),
        ("Member since 01/01/2015\n05/06/2023 14:22\nTotal  2.00", "05/06/2023"),
        ("Oct 25'14 07:53AM\nTotal  2.00", "Oct 25'14"),
        ("05/06/2023\nReturn by 05/07/2031\nTotal  2.00", "05/06/2023"),
    ],
)
def test_issue_date(slip: str, printed_date: str) -> None:
    assert fields(slip)["issue_date"][0].raw == printed_date


@pytest.mark.parametrize(
    ("slip", "phone"),
    [
        ("ACME\nTel: 03-5542 3228 Fax: 03-5542 3213", "03-5542 3228"),
        ("ACME\nF 212 966 7907\nP 212 966 7799", "212 966 7799"),
        ("ACME\nSTORE #204 (705) 745-3381", "(705) 745-3381"),
        ("ACME\n(612)  355-5500", "(612) 355-5500"),
        ("ACME\n(P) 718-505-0565", "718-505-0565"),
        ("ACME\nTelp/ Fax : 021 39831883", "021 39831883"),
        ("ACME\nContact :0124-4231919", "0124-4231919"),
        ("ACME\n09394-00059-4\nTEL# 706-782-5313", "706-782-5313"),
    ],
)
def test_vendor_phone(slip: str, phone: str) -> None:
    assert fields(f"{slip}\n\nTea  2.00\nTotal  2.00")["vendor_phone"][0].raw == phone


def test_a_bar_code_is_no_phone() -> None:
    assert "vendor_phone" not in fields("ACME\n\n9068477  2.00\n400111378  3.00\nTotal  5.00")


def test_items_that_print_their_numbers_first() -> None:
    slip = """
ACME LTD
1x 000008204363      14.99
   KIT KAT
   Item promo @9.99  -5.00
2x 000001018506      21.10
   CHOCOLATE
Sub-total            31.09
"""
    assert items(slip) == [
        {
            "description": "KIT KAT",
            "product_code": "000008204363",
            "quantity": "1",
            "discount": "-5.00",
            "amount": "14.99",
        },
        {
            "description": "CHOCOLATE",
            "product_code": "000001018506",
            "quantity": "2",
            "amount": "21.10",
        },
    ]


def test_items_that_print_their_text_first() -> None:
    slip = """
ACME LTD

TISSUE HOLDER
9068477   2 X 5.30   10.60
HOOK LARGE
9068722   2 X 2.30    4.60
TOTAL                15.20
"""
    assert items(slip) == [
        {
            "description": name,
            "product_code": code,
            "quantity": "2",
            "unit_price": price,
            "amount": amount,
        }
        for name, code, price, amount in [
            ("TISSUE HOLDER", "9068477", "5.30", "10.60"),
            ("HOOK LARGE", "9068722", "2.30", "4.60"),
        ]
    ]


def test_payments_and_change_are_no_items() -> None:
    slip = "Tea  2.00\nTotal  2.00\nCash  5.00\nChange  3.00"
    assert [row["description"] for row in items(slip)] == ["Tea"]


def test_a_volume_is_no_price() -> None:
    slip = "Juice 0,2l  3,20\nCheese 0,5kg  7,60\nTotal  10,80"
    assert items(slip) == [
        {"description": "Juice 0,2l", "amount": "3,20"},
        {"description": "Cheese 0,5kg", "amount": "7,60"},
    ]


def test_parts_of_the_sum() -> None:
    slip = """
Tea                   4.00
Cake                  6.00
Subtotal             10.00
Member saving        -1.50
Service charge        0.85
VAT 20%               1.70
Total                11.05
Visa debit           11.05
"""
    found = {name: c[0].raw for name, c in fields(slip).items()}
    expected = {
        "subtotal": "10.00",
        "discount_total": "-1.50",
        "service_charge": "0.85",
        "tax_total": "1.70",
        "total": "11.05",
    }
    assert {name: found.get(name) for name in expected} == expected
    tables = find_receipt_fields(mentions_of(slip), HINTS).tables
    assert [row["method"].raw for row in tables["payments"]] == ["Visa debit"]
    assert [row["rate"].raw for row in tables["tax_lines"]] == ["20%"]


@pytest.mark.parametrize(("word", "roles"), [("Tuna roll", ()), ("TUNAI", (Role.PAID,))])
def test_labels_of_other_languages_must_be_well_spelled(word: str, roles: tuple[Role, ...]) -> None:
    (amount,) = labelled_amounts(mentions_of(f"{word}  14.00", "en"))
    assert amount.roles == roles


@pytest.mark.parametrize(
    "slip",
    [
        # Cut off below the items: no price is the total.
        "Blue Door Cafe\n310 Main Street\n2 Iced Tea  $5.00\n1 House Burger  $12.50\n1 Pie  $6.00",
        "KEDAI MAJU\nItem  Qty  Price  Amount\nBOOK  2  3.50  7.00\nPEN  1  1.98  1.98",
    ],
)
def test_a_receipt_cut_off_above_its_sums_has_no_total(slip: str) -> None:
    assert "total" not in fields(slip)

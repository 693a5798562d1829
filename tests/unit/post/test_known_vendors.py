"""Known vendors: the confirmed spelling for what was read almost so, and never another branch."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hand_made import TASKS, exact, read

from lib.domain.date_order import DateOrder
from lib.domain.vendors import KnownVendor, VendorBook

RECEIPT = TASKS["receipt_fields_v1"]
SHOP = KnownVendor("Corner Shop S/B", "12 High Street, Oxford OX1 4AB", ("GB999999973",), 4)


def _read(name: str, address: str, *known: KnownVendor, **more: str) -> dict[str, object]:
    fields = {"vendor_name": name, "vendor_address": address, "total": "9.90", **more}
    answered = read(fields, task=RECEIPT, vendors=VendorBook(known))
    return dict(answered.result)


def test_letters_that_were_misread_are_spelt_as_known() -> None:
    result = _read("Comer Shop S/B", "12 High Streel, Oxford 0X1 4AB", SHOP)
    assert result["vendor_name"] == SHOP.name
    assert result["vendor_address"] == SHOP.address


def test_what_is_printed_stays_to_be_seen() -> None:
    answered = read(
        {"vendor_name": "Cornor Shop S/B", "total": "9.90"},
        task=RECEIPT,
        vendors=VendorBook((SHOP,)),
    )
    field = answered.fields["vendor_name"]
    assert field.value == SHOP.name
    assert field.raw == "Cornor Shop S/B"
    assert field.polygon is not None
    assert [other.value for other in field.alternatives] == ["Cornor Shop S/B"]
    assert any(w.startswith("known_vendor:vendor_name:") for w in answered.warnings)


@pytest.mark.parametrize(
    "address", ["14 High Street, Oxford OX1 4AB", "12 High Street, Oxford OX1 5AB"]
)
def test_another_branch_keeps_its_own_address(address: str) -> None:
    assert _read("Corner Shop S/B", address, SHOP)["vendor_address"] == address


def test_a_name_of_other_digits_is_another_vendor() -> None:
    known = KnownVendor("Mart 99 Trading Company")
    assert _read("Mart 98 Trading Company", "", known)["vendor_name"] == "Mart 98 Trading Company"


def test_a_stranger_is_left_alone() -> None:
    result = _read("Baker & Sons", "3 Mill Lane, Leeds", SHOP)
    assert (result["vendor_name"], result["vendor_address"]) == (
        "Baker & Sons",
        "3 Mill Lane, Leeds",
    )


def test_half_a_name_is_enough_where_the_address_says_whose_it_is() -> None:
    assert _read("Corner Shop", SHOP.address or "", SHOP)["vendor_name"] == SHOP.name
    assert _read("Corner Shop", "3 Mill Lane, Leeds", SHOP)["vendor_name"] == "Corner Shop"


def test_half_a_name_is_enough_where_the_tax_number_says_whose_it_is() -> None:
    result = _read("Corner Shop", "", SHOP, vendor_tax_id="GB 999 9999 73")
    assert result["vendor_name"] == SHOP.name


def test_of_two_spellings_the_one_as_printed_else_the_usual_one() -> None:
    dotted = KnownVendor("Corner Shop S.B.", confirmations=1)
    plain = KnownVendor("Corner Shop SB", confirmations=9)
    assert _read("CORNER SHOP S.B.", "", plain, dotted)["vendor_name"] == dotted.name
    assert _read("Corner Shop S;B", "", dotted, plain)["vendor_name"] == plain.name


def test_nothing_is_answered_that_is_not_on_the_page() -> None:
    answered = read({"total": "9.90"}, task=RECEIPT, vendors=VendorBook((SHOP,)))
    assert answered.result["vendor_name"] is None
    assert answered.result["vendor_address"] is None
    assert answered.result["total"] == Decimal("9.90")


def test_what_xml_gives_is_never_respelt() -> None:
    answered = read(
        {"vendor_name": exact("Comer Shop S/B"), "total": exact(Decimal("9.90"))},
        task=RECEIPT,
        vendors=VendorBook((SHOP,)),
    )
    assert answered.result["vendor_name"] == "Comer Shop S/B"


def test_what_the_document_leaves_open_is_read_as_in_earlier_ones() -> None:
    fields = {"vendor_name": SHOP.name, "issue_date": "03/04/2025", "total": "9.90"}
    for order, day in ((DateOrder.DMY, "2025-04-03"), (DateOrder.MDY, "2025-03-04")):
        known = replace(SHOP, date_order=order)
        answered = read(fields, task=RECEIPT, vendors=VendorBook((known,)))
        assert answered.result["issue_date"] == day
        assert "ambiguous_date:issue_date" not in answered.review_reasons
    stranger = read(fields, task=RECEIPT, vendors=VendorBook((SHOP,)))
    assert "ambiguous_date:issue_date" in stranger.review_reasons


def test_what_the_document_decides_is_not_read_as_in_earlier_ones() -> None:
    known = replace(SHOP, date_order=DateOrder.MDY)
    fields = {"vendor_name": SHOP.name, "issue_date": "03/04/2025", "total": "9.90"}
    answered = read(fields, texts=("paid 25/04/2025",), task=RECEIPT, vendors=VendorBook((known,)))
    assert answered.result["issue_date"] == "2025-04-03"


def test_a_dollar_is_the_vendors_dollar() -> None:
    fields = {"vendor_name": SHOP.name, "currency": "$", "total": "$ 9.90"}
    known = replace(SHOP, currency="SGD")
    assert read(fields, task=RECEIPT, vendors=VendorBook((known,))).result["currency"] == "SGD"
    assert read(fields, task=RECEIPT, vendors=VendorBook((SHOP,))).result["currency"] is None

"""What is remembered of vendors: repetition, corrections, bounds, and a database that fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.vendors.service import VendorService
from apps.api_cpu.vendors.store import TRACED, VendorSource, VendorStore
from lib.domain.date_order import DateOrder
from lib.domain.extraction import FieldValue, Source

START = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Clock:
    """A clock that moves a second at every look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def service(location: Path | SecretStr) -> VendorService:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    return VendorService(VendorStore(engine), Clock())


def _fields(name: str, address: str = "1 High Street", sure: float = 0.95) -> dict[str, FieldValue]:
    return {
        "vendor_name": FieldValue(name, name, sure, Source.OCR),
        "vendor_address": FieldValue(address, address, sure, Source.OCR),
        "vendor_tax_id": FieldValue("GB999999973", "GB 999", sure, Source.OCR),
    }


def _names(service: VendorService, key_id: str = "k") -> list[str]:
    return [vendor.name for vendor in service.book(key_id).vendors]


def test_three_different_documents_make_a_vendor_known(service: VendorService) -> None:
    for sha256 in ("a", "b", "b", "b"):
        service.seen("k", _fields("Shop"), sha256)
    assert _names(service) == []
    service.seen("k", _fields("Shop"), "c")
    assert _names(service) == ["Shop"]
    assert service.book("k").vendors[0].numbers == ("GB999999973",)
    assert _names(service, "another key") == []


def test_what_is_unsure_does_not_count(service: VendorService) -> None:
    for sha256 in "abcdef":
        service.seen("k", _fields("Shop", sure=0.7), sha256)
        service.seen("k", {"vendor_name": _fields("Shop")["vendor_name"]}, sha256)
    assert service.all("k") == []


def test_a_correction_is_known_at_once_and_stays_so(service: VendorService) -> None:
    service.confirm("k", {"vendor_name": "Shop Ltd", "total": 5}, "", "a")
    assert _names(service) == ["Shop Ltd"]
    service.seen("k", _fields("Shop Ltd", ""), "b")
    (row,) = service.all("k")
    assert (row.source, row.documents) == (VendorSource.CORRECTION, 2)
    service.confirm("k", {"vendor_address": "1 High Street"}, "", "a")
    assert len(service.all("k")) == 1, "without a name there is no vendor"


def test_the_one_not_seen_for_longest_is_forgotten(
    location: Path | SecretStr,
) -> None:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    service = VendorService(VendorStore(engine, most=3), Clock())
    for name in ("A", "B", "C", "A", "D"):
        service.confirm("k", {"vendor_name": name}, "", name)
    service.confirm("other", {"vendor_name": "Z"}, "", "z")
    assert sorted(_names(service)) == ["A", "C", "D"]
    assert _names(service, "other") == ["Z"]


def test_a_book_is_made_once_and_again_after_a_change(service: VendorService) -> None:
    service.confirm("k", {"vendor_name": "A"}, "", "a")
    first = service.book("k")
    assert service.book("k") is first
    service.confirm("k", {"vendor_name": "B"}, "", "b")
    assert service.book("k") is not first
    assert service.erase("k") == 2
    assert service.book("k").vendors == ()


def test_a_vendor_that_is_seen_again_makes_no_new_book(service: VendorService) -> None:
    for sha256 in "abc":
        service.seen("k", _fields("Shop"), sha256)
    book = service.book("k")
    service.seen("k", _fields("Shop"), "d")
    service.seen("k", _fields("Not yet known"), "d")
    assert service.book("k") is book
    told = _fields("Shop") | {"currency": FieldValue("GBP", "£", 0.9, Source.OCR)}
    service.seen("k", told, "e")
    assert service.book("k").vendors[0].currency == "GBP"
    for number in range(3):
        service.seen("k", told, f"more-{number}")
    assert service.book("k").vendors[0].confirmations == 8


def test_what_is_erased_and_known_again_makes_a_new_book(service: VendorService) -> None:
    service.confirm("k", {"vendor_name": "A"}, "", "a")
    assert _names(service) == ["A"]
    assert service.erase("k") == 1
    service.confirm("k", {"vendor_name": "B"}, "", "a")
    assert _names(service) == ["B"]


def test_a_vendor_is_known_no_longer_than_documents_speak_for_it(service: VendorService) -> None:
    for sha256 in "abcd":
        service.seen("k", _fields("Shop"), sha256)
    service.forget_document("k", "a")
    assert _names(service) == ["Shop"]
    service.forget_document("k", "b")
    assert _names(service) == []
    for sha256 in "cd":
        service.forget_document("k", sha256)
        service.forget_document("k", sha256)
    assert service.all("k") == []


def test_what_very_many_documents_said_is_traced_to_none(service: VendorService) -> None:
    for number in range(TRACED + 1):
        service.seen("k", _fields("Shop"), str(number))
    for number in range(TRACED + 1):
        service.forget_document("k", str(number))
    (row,) = service.all("k")
    assert (row.documents, _names(service)) == (TRACED + 1, ["Shop"])


def test_another_process_is_seen(service: VendorService, location: Path | SecretStr) -> None:
    service.confirm("k", {"vendor_name": "A"}, "", "a")
    assert _names(service) == ["A"]
    other = VendorService(
        VendorStore(open_database(location, Schema.VENDORS, Durability.CRASH)), Clock()
    )
    other.confirm("k", {"vendor_name": "B"}, "", "b")
    assert sorted(_names(service)) == ["A", "B"]


def test_documents_are_read_without_memory_when_its_database_fails(
    location: Path | SecretStr,
) -> None:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE vendors RENAME TO lost")
    service = VendorService(VendorStore(engine), Clock())
    assert service.book("k").vendors == ()
    service.seen("k", _fields("Shop"), "a")


def test_currency_and_order_of_dates_are_remembered_where_they_are_sure(
    service: VendorService,
) -> None:
    usual = _fields("Shop") | {
        "currency": FieldValue("USD", "$", 0.9, Source.OCR),
        "issue_date": FieldValue("2026-03-25", "25/03/2026", 0.9, Source.OCR),
    }
    for sha256 in "abc":
        service.seen("k", usual, sha256)
    open_date = FieldValue("2026-03-04", "03/04/2026", 0.9, Source.OCR)
    service.seen("k", usual | {"issue_date": open_date}, "d")
    (vendor,) = service.book("k").vendors
    assert (vendor.currency, vendor.date_order) == ("USD", DateOrder.DMY)


def test_a_corrected_date_shows_the_order_of_an_open_one(service: VendorService) -> None:
    said = {"vendor_name": "Shop", "issue_date": "2026-03-04"}
    service.confirm("k", said, "03/04/2026", "a")
    assert service.book("k").vendors[0].date_order is DateOrder.MDY


def test_a_name_may_hold_any_character(service: VendorService) -> None:
    service.confirm("k", {"vendor_name": "A\x00B\ud800 \U0001f9fe"}, "", "a")
    assert len(service.all("k")) == 1

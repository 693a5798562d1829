"""The memory of vendors: a book per key for the pipeline, filled by documents and corrections."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from apps.api_cpu import logs
from apps.api_cpu.vendors.store import Sighting, StoredVendor, VendorSource, VendorStore
from lib.domain.date_order import DateOrder
from lib.domain.extraction import FieldValue
from lib.domain.vendors import KnownVendor, VendorBook
from lib.errors import Error
from lib.values.dates import printed_order

_NAME, _ADDRESS = "vendor_name", "vendor_address"
_DATE, _CURRENCY = "issue_date", "currency"
_NUMBERS = ("vendor_tax_id", "vendor_registration_id", "vendor_phone")
_NAME_LENGTH, _ADDRESS_LENGTH, _NUMBER_LENGTH = 500, 1000, 60

# A reading that is less sure than this does not speak for a spelling.
_SURE = 0.8
_BOOKS = 256  # kept in memory: of the keys that were served last


class VendorMemory(Protocol):
    """What the pipeline asks before a document is read, and tells after. It never fails."""

    def book(self, key_id: str) -> VendorBook:
        """The vendors that this key knows."""
        ...

    def revision(self, key_id: str) -> int | None:
        """Another one whenever the book is another; None where it cannot be looked up."""
        ...

    def seen(self, key_id: str, fields: Mapping[str, FieldValue], sha256: str) -> None:
        """Take note of what a document of this key says of its vendor."""
        ...


class NoVendorMemory:
    """Remembers nothing."""

    def book(self, key_id: str) -> VendorBook:
        """An empty book."""
        return VendorBook()

    def revision(self, key_id: str) -> int | None:
        """Always the same."""
        return 0

    def seen(self, key_id: str, fields: Mapping[str, FieldValue], sha256: str) -> None:
        """Nothing is kept."""


class VendorService:
    """Vendors of every key, in a database. Safe to share between threads and processes."""

    def __init__(
        self,
        store: VendorStore,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None),
    ) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._books: OrderedDict[str, tuple[object, VendorBook]] = OrderedDict()

    def book(self, key_id: str) -> VendorBook:
        """See `VendorMemory.book`; empty when the database fails: documents are still read."""
        try:
            revision = self._store.revision(key_id)
            with self._lock:
                held = self._books.get(key_id)
            if held is None or held[0] != revision:
                held = revision, _book(self._store.all(key_id))
        except Error as error:
            logs.warning("the vendor memory is not available", key_id=key_id, code=error.code)
            return VendorBook()
        with self._lock:
            self._books[key_id] = held
            self._books.move_to_end(key_id)
            while len(self._books) > _BOOKS:
                self._books.popitem(last=False)
        return held[1]

    def revision(self, key_id: str) -> int | None:
        """See `VendorMemory.revision`."""
        try:
            return self._store.revision(key_id)
        except Error as error:
            logs.warning("the vendor memory is not available", key_id=key_id, code=error.code)
            return None

    def seen(self, key_id: str, fields: Mapping[str, FieldValue], sha256: str) -> None:
        """See `VendorMemory.seen`: only a name and address that are both sure count."""
        sure = {name: str(f.value) for name, f in fields.items() if f.confidence >= _SURE}
        if _NAME not in sure or _ADDRESS not in sure:
            return
        printed = fields[_DATE].raw if _DATE in sure else ""
        order = printed_order(printed, sure.get(_DATE, ""))
        try:
            self._add(key_id, sure, sha256, VendorSource.REPETITION, order)
        except Error as error:
            logs.warning("a vendor was not remembered", key_id=key_id, code=error.code)

    def confirm(
        self, key_id: str, values: Mapping[str, Any], printed_date: str, sha256: str
    ) -> None:
        """A person said how the vendor is spelt. Nothing happens without a name.

        `printed_date` is the issue date as the document prints it: beside the right one it shows
        the vendor's order of day and month. Raises `storage_unavailable`.
        """
        given = {name: value for name, value in values.items() if isinstance(value, str) and value}
        if _NAME in given:
            order = printed_order(printed_date, given.get(_DATE, ""), decided=True)
            self._add(key_id, given, sha256, VendorSource.CORRECTION, order)

    def all(self, key_id: str) -> Sequence[StoredVendor]:
        """What is kept for a key, the last seen first. Raises `storage_unavailable`."""
        return self._store.all(key_id)

    def erase(self, key_id: str, vendor_id: str | None = None) -> int:
        """Forget one vendor of a key, or all; returns how many. Raises `storage_unavailable`."""
        return self._store.remove(key_id, vendor_id)

    def forget_document(self, key_id: str, sha256: str) -> None:
        """Take back what a document that was erased had counted for.

        A vendor with too few left is known no longer, one with none is gone. What more than
        `TRACED` documents said is not traced to one of them. Raises `storage_unavailable`.
        """
        self._store.uncount(key_id, sha256)

    def unconfirm(self, key_id: str, values: Mapping[str, Any]) -> None:
        """Forget the vendor that an erased correction named, if no other document speaks for it."""
        given = {name: value for name, value in values.items() if isinstance(value, str) and value}
        if _NAME in given:
            name, address = given[_NAME][:_NAME_LENGTH], given.get(_ADDRESS, "")[:_ADDRESS_LENGTH]
            self._store.remove_spelling(key_id, name, address, at_most=1)

    def _add(
        self,
        key_id: str,
        values: Mapping[str, str],
        sha256: str,
        source: VendorSource,
        order: DateOrder | None,
    ) -> None:
        sighting = Sighting(
            name=values[_NAME][:_NAME_LENGTH],
            address=values.get(_ADDRESS, "")[:_ADDRESS_LENGTH],
            numbers=tuple(values[n][:_NUMBER_LENGTH] for n in _NUMBERS if n in values),
            sha256=sha256,
            currency=values.get(_CURRENCY),
            date_order=order,
        )
        self._store.add(key_id, sighting, source, self._clock())


def _book(rows: Sequence[StoredVendor]) -> VendorBook:
    return VendorBook(
        tuple(
            KnownVendor(
                row.name,
                row.address or None,
                row.numbers,
                row.documents,
                row.currency,
                row.date_order,
            )
            for row in rows
            if row.is_known
        )
    )

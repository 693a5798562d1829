"""The tables of vendors: one row a spelling, and the documents that were counted for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Engine, Select, bindparam, delete, func, select, update

from apps.api_cpu.db.engine import Prepared, hold, insert_new, reading, upsert, writing
from apps.api_cpu.db.tables import vendor_books, vendor_documents, vendors
from apps.api_cpu.request_context import new_request_id
from lib.domain.date_order import DateOrder

MOST_VENDORS = 2000
"""Of a key: when one more comes, the one that was not seen for the longest time is forgotten."""

TRACED = 50
"""Until so many documents speak for a spelling, the hash of each is kept, so that their count falls
when one of them is erased; then all of its hashes go.
"""

REPEATED = 3
"""Different documents that must read the same before nobody's word is needed."""


class VendorSource(StrEnum):
    """What speaks for a spelling; the later one is the stronger."""

    REPETITION = "repetition"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A vendor as one document shows it; `sha256` is the document's."""

    name: str
    address: str
    numbers: tuple[str, ...]
    sha256: str
    currency: str | None = None
    date_order: DateOrder | None = None


@dataclass(frozen=True, slots=True)
class StoredVendor:
    """A row. Times are naive and in UTC; an empty address means that none is known."""

    vendor_id: str
    owner_key_id: str
    name: str
    address: str
    numbers: tuple[str, ...]
    currency: str | None
    date_order: DateOrder | None
    source: VendorSource
    documents: int
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def is_known(self) -> bool:
        """Whether enough speaks for the spelling to use it as evidence."""
        return self.source is VendorSource.CORRECTION or self.documents >= REPEATED


_COLUMNS = [vendors.c[name] for name in StoredVendor.__dataclass_fields__]
# Asked for every document, so made once.
_REVISION = Prepared(
    select(vendor_books.c.revision).where(vendor_books.c.owner_key_id == bindparam("owner"))
)
_SPELLING = select(*_COLUMNS).where(
    vendors.c.owner_key_id == bindparam("owner"),
    vendors.c.name == bindparam("name"),
    vendors.c.address == bindparam("address"),
)
_SEEN = (
    update(vendors)
    .where(vendors.c.vendor_id == bindparam("seen_id"))
    .values(
        {
            name: bindparam(f"new_{name}", type_=vendors.c[name].type)
            for name in ("last_seen_at", "numbers", "currency", "date_order", "source")
        }
        | {"documents": vendors.c.documents + bindparam("more")}
    )
    .returning(*_COLUMNS)
)


class VendorStore:
    """Reads and writes vendors. Safe to share between threads and processes."""

    def __init__(self, engine: Engine, most: int = MOST_VENDORS) -> None:
        self._engine = engine
        self._most = most

    def all(self, owner_key_id: str) -> Sequence[StoredVendor]:
        """The vendors of a key, the last seen first; those not yet known among them."""
        query = (
            select(*_COLUMNS)
            .where(vendors.c.owner_key_id == owner_key_id)
            .order_by(vendors.c.last_seen_at.desc(), vendors.c.vendor_id)
        )
        with reading(self._engine) as connection:
            return [_from_row(row._mapping) for row in connection.execute(query)]

    def revision(self, owner_key_id: str) -> int:
        """Grows whenever what is known changes: not when it is merely seen once more."""
        with reading(self._engine) as connection:
            found = _REVISION.rows(connection, {"owner": owner_key_id})
        return int(found[0][0]) if found else 0

    def add(
        self, owner_key_id: str, sighting: Sighting, source: VendorSource, now: datetime
    ) -> None:
        """Count a document for the spelling; while they are traced, the same document only once.

        A correction makes the spelling known at once, and it stays so.
        """
        with writing(self._engine) as connection:
            hold(connection, f"vendors of {owner_key_id}")
            held, is_first = _row_of(connection, owner_key_id, sighting, now)
            is_traced = held.documents < TRACED
            counts = not is_traced or _is_new(connection, held.vendor_id, sighting.sha256)
            is_corrected = source is VendorSource.CORRECTION
            seen = {
                "seen_id": held.vendor_id,
                "more": int(counts),
                "new_last_seen_at": now,
                # What the document does not say stays as it was.
                "new_numbers": list(sighting.numbers or held.numbers),
                "new_currency": sighting.currency or held.currency,
                "new_date_order": sighting.date_order or held.date_order,
                "new_source": (source if is_corrected else held.source).value,
            }
            now_held = _from_row(connection.execute(_SEEN, seen).one()._mapping)
            if is_traced and now_held.documents >= TRACED:
                _forget_documents(connection, [held.vendor_id])
            if _said(now_held) != _said(held):
                _turn_page(connection, owner_key_id)
            if is_first:
                _forget_oldest(connection, owner_key_id, self._most)

    def remove(self, owner_key_id: str, vendor_id: str | None = None) -> int:
        """Erase one vendor of a key, or all of them; returns how many there were."""
        mine = vendors.c.owner_key_id == owner_key_id
        which = mine if vendor_id is None else mine & (vendors.c.vendor_id == vendor_id)
        with writing(self._engine) as connection:
            hold(connection, f"vendors of {owner_key_id}")
            return _remove(connection, owner_key_id, select(vendors.c.vendor_id).where(which))

    def uncount(self, owner_key_id: str, sha256: str) -> None:
        """Forget a document that spellings are traced to, and those that it alone speaks for."""
        of_owner = select(vendors.c.vendor_id).where(vendors.c.owner_key_id == owner_key_id)
        counted = vendor_documents.c.sha256 == sha256
        with writing(self._engine) as connection:
            hold(connection, f"vendors of {owner_key_id}")
            mine = vendor_documents.c.vendor_id.in_(of_owner)
            ids = list(
                connection.scalars(select(vendor_documents.c.vendor_id).where(counted, mine))
            )
            these = vendors.c.vendor_id.in_(ids)
            connection.execute(delete(vendor_documents).where(counted, mine))
            fewer = {"documents": vendors.c.documents - 1}
            connection.execute(update(vendors).where(these).values(**fewer))
            alone = select(vendors.c.vendor_id).where(these, vendors.c.documents <= 0)
            if ids and not _remove(connection, owner_key_id, alone):
                _turn_page(connection, owner_key_id)

    def remove_spelling(self, owner_key_id: str, name: str, address: str, at_most: int) -> None:
        """Erase a spelling if no more documents than `at_most` were counted for it."""
        which = select(vendors.c.vendor_id).where(
            vendors.c.owner_key_id == owner_key_id,
            vendors.c.name == name,
            vendors.c.address == address,
            vendors.c.documents <= at_most,
        )
        with writing(self._engine) as connection:
            hold(connection, f"vendors of {owner_key_id}")
            _remove(connection, owner_key_id, which)


def _row_of(
    connection: Connection, owner_key_id: str, sighting: Sighting, now: datetime
) -> tuple[StoredVendor, bool]:
    """The row of the spelling, made if there is none, and whether it was."""
    spelling = {"owner": owner_key_id, "name": sighting.name, "address": sighting.address}
    found = connection.execute(_SPELLING, spelling).first()
    if found is not None:
        return _from_row(found._mapping), False
    row = {
        "vendor_id": new_request_id(),
        "owner_key_id": owner_key_id,
        "name": sighting.name,
        "address": sighting.address,
        "numbers": list(sighting.numbers),
        "source": VendorSource.REPETITION.value,
        "documents": 0,
        "first_seen_at": now,
        "last_seen_at": now,
    }
    connection.execute(insert_new(connection, vendors), row)
    return _from_row(connection.execute(_SPELLING, spelling).one()._mapping), True


def _is_new(connection: Connection, vendor_id: str, sha256: str) -> bool:
    """Whether the document was not counted yet; it is from now on."""
    row = {"vendor_id": vendor_id, "sha256": sha256}
    return connection.execute(insert_new(connection, vendor_documents), row).rowcount == 1


def _said(row: StoredVendor) -> object:
    """What a book says of a vendor; its frequency in steps: at 8, 16, 32, ... documents."""
    if not row.is_known:
        return None
    return row.numbers, row.currency, row.date_order, (row.documents // 8).bit_length()


def _turn_page(connection: Connection, owner_key_id: str) -> None:
    """The key's book is another one from now on, for every process."""
    first = upsert(connection, vendor_books).values(owner_key_id=owner_key_id, revision=1)
    connection.execute(
        first.on_conflict_do_update(
            index_elements=["owner_key_id"], set_={"revision": vendor_books.c.revision + 1}
        )
    )


def _forget_oldest(connection: Connection, owner_key_id: str, most: int) -> None:
    mine = vendors.c.owner_key_id == owner_key_id
    if (connection.scalar(select(func.count()).where(mine)) or 0) <= most:
        return
    surplus = (
        select(vendors.c.vendor_id)
        .where(mine)
        .order_by(vendors.c.last_seen_at.desc(), vendors.c.vendor_id.desc())
        .offset(most)
        .limit(1000)
    )
    _remove(connection, owner_key_id, surplus)


def _remove(connection: Connection, owner_key_id: str, which: Select[str]) -> int:
    ids = list(connection.scalars(which))
    _forget_documents(connection, ids)
    removed = connection.execute(delete(vendors).where(vendors.c.vendor_id.in_(ids))).rowcount
    if removed:
        _turn_page(connection, owner_key_id)
    return removed


def _forget_documents(connection: Connection, vendor_ids: Sequence[str]) -> None:
    of_them = vendor_documents.c.vendor_id.in_(vendor_ids)
    connection.execute(delete(vendor_documents).where(of_them))


def _from_row(row: object) -> StoredVendor:
    values = dict(row)  # type: ignore[call-overload]  # a RowMapping
    order = values["date_order"]
    typed = {
        "numbers": tuple(values["numbers"]),
        "source": VendorSource(values["source"]),
        "date_order": None if order is None else DateOrder(order),
    }
    return StoredVendor(**values | typed)

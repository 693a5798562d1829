"""What was read of a key's documents lately, as far as a duplicate is known by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    delete,
    insert,
    select,
    union_all,
)

from apps.api_cpu.db.engine import Prepared, hold, reading, writing
from apps.api_cpu.db.tables import document_bands, documents
from lib.values.likeness import BANDS, band_keys, unpack

_MOST_OF_A_KIND = 16
_BATCH = 200


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """A document that was read; None is not known. `created_at` in Unix seconds.

    Texts are folded (`lib.values.likeness`), `issue_date` is ISO 8601, `total` a plain decimal
    number, `signature` packed.
    """

    request_id: str
    created_at: float
    sha256: str
    number: str | None = None
    vendor: str | None = None
    vendor_tax_id: str | None = None
    issue_date: str | None = None
    total: str | None = None
    signature: bytes | None = None

    @property
    def bands(self) -> Sequence[int]:
        """Of two alike texts, one key is likely the same if their date or total is."""
        if self.signature is None:
            return ()
        found = unpack(self.signature)
        return sorted(set(band_keys(found, even=self.issue_date or "", odd=self.total or "")))


_NAMES = tuple(SeenDocument.__dataclass_fields__)
_COLUMNS = [documents.c[name] for name in _NAMES]


def _newest(column: ColumnElement[str], *conditions: ColumnElement[bool]) -> Select[Any]:
    newest = select(column).where(*conditions).order_by(column.desc()).limit(_MOST_OF_A_KIND)
    # A branch of a union has an order only as a subquery of its own.
    return select(newest.subquery())


def _alike() -> Select[Any]:
    """What has the request's id already, and what shares `sha256`, `number` or a `band<n>`."""
    mine = documents.c.owner_key_id == bindparam("owner_key_id")
    by_bands = (
        _newest(
            document_bands.c.request_id,
            document_bands.c.owner_key_id == bindparam("owner_key_id"),
            document_bands.c.band == bindparam(f"band{number}"),
        )
        for number in range(BANDS)
    )
    return select(*_COLUMNS).where(
        documents.c.request_id.in_(
            union_all(
                select(documents.c.request_id).where(
                    documents.c.request_id == bindparam("request_id")
                ),
                _newest(documents.c.request_id, mine, documents.c.sha256 == bindparam("sha256")),
                # Equal to null is nothing.
                _newest(documents.c.request_id, mine, documents.c.number == bindparam("number")),
                *by_bands,
            )
        )
    )


# Made once: to make them and their cache keys takes longer than to execute them.
_ALIKE, _ADD = Prepared(_alike()), Prepared(insert(documents))
_ADD_BANDS = insert(document_bands)


class DocumentIndex:
    """Looks for documents that may be the same. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def meet(self, document: SeenDocument, owner_key_id: str) -> list[SeenDocument]:
        """Note a document; the owner's others that share its bytes, its number or a band.

        At most `_MOST_OF_A_KIND` for each of those, the highest ids first: the newest, where the
        server made them. Of two that come at the same time, the later to be noted finds the other.
        """
        bands = document.bands
        row = {name: getattr(document, name) for name in _NAMES} | {"owner_key_id": owner_key_id}
        sought = {f"band{number}": band for number, band in enumerate(bands)}
        unused = {f"band{number}": None for number in range(len(bands), BANDS)}
        with writing(self._engine) as connection:
            hold(connection, f"documents of {owner_key_id}")
            rows = _ALIKE.rows(connection, row | sought | unused)
            found = [SeenDocument(*columns) for columns in rows]
            if any(other.request_id == document.request_id for other in found):
                # An earlier attempt at the same request.
                _forget(connection, documents.c.request_id == document.request_id)
            _ADD.changes(connection, row)
            if bands:
                ids = {"owner_key_id": owner_key_id, "request_id": document.request_id}
                connection.execute(_ADD_BANDS, [ids | {"band": band} for band in bands])
        return [other for other in found if other.request_id != document.request_id]

    def forget(self, request_ids: Iterable[str]) -> int:
        """Erase documents; how many there were."""
        with writing(self._engine) as connection:
            return _forget(connection, documents.c.request_id.in_(list(request_ids)))

    def forget_before(self, moment: float) -> int:
        """Erase some of those that were read before `moment`; 0 when none is left."""
        old = select(documents.c.request_id).where(documents.c.created_at < moment).limit(_BATCH)
        with reading(self._engine) as connection:
            ids = list(connection.scalars(old))
        return self.forget(ids) if ids else 0


def _forget(connection: Connection, which: ColumnElement[bool]) -> int:
    """Erase documents with their bands, which are computed again: no index leads to them."""
    rows = connection.execute(select(documents.c.owner_key_id, *_COLUMNS).where(which)).all()
    for owner_key_id, *columns in rows:
        document = SeenDocument(*columns)
        connection.execute(
            delete(document_bands).where(
                document_bands.c.owner_key_id == owner_key_id,
                document_bands.c.band.in_(document.bands),
                document_bands.c.request_id == document.request_id,
            )
        )
    if rows:
        connection.execute(delete(documents).where(which))
    return len(rows)

"""The index of extractions: which request id has which artifact, and whose it is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, select, update

from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.db.engine import insert_new_row, reading, writing
from apps.api_cpu.db.tables import erasures, extracts
from apps.api_cpu.errors import not_found
from apps.api_cpu.wire import timestamp
from lib.errors import Error, Kind


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Where the artifact of a request id is, or will be, and whose it is."""

    request_id: str
    owner_key_id: str
    artifact_rel: str
    lease_until: float
    erased_at: float | None = None


_SAME_ID = extracts.c.request_id == erasures.c.request_id


class ExtractIndex:
    """The request ids that were taken. Safe to share between threads and processes.

    An id is taken by an insert that only one can make. It is taken for good once its artifact
    exists. Until then it is leased: when the lease is over and there is still no artifact, whoever
    held it has died, and the next request with that id takes it over. The lease is longer than any
    request may run, so nobody who lives loses it.
    """

    def __init__(
        self, engine: Engine, lease_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._lease_s = lease_s
        self._clock = clock

    def reserve(
        self,
        request_id: str,
        owner_key_id: str,
        artifact_rel: str,
        exists: Callable[[str], bool],
    ) -> IndexEntry | None:
        """Take an id; None when that worked, else the entry that has it.

        `exists` says whether an artifact has been written.
        """
        now = self._clock()
        entry = IndexEntry(request_id, owner_key_id, artifact_rel, now + self._lease_s)
        if self._insert(entry):
            return None
        held = self.find(request_id)
        if held is None or held.lease_until > now or held.erased_at is not None:
            return held
        if exists(held.artifact_rel):
            return held
        return None if self._take_over(held, entry) else self.find(request_id)

    def release(self, request_id: str, owner_key_id: str) -> None:
        """End the lease of an id, for who knows that its holder has died; not that of a job."""
        mine = (
            extracts.c.request_id == request_id,
            extracts.c.owner_key_id == owner_key_id,
            extracts.c.lease_until < math.inf,
        )
        with writing(self._engine) as connection:
            connection.execute(update(extracts).where(*mine).values(lease_until=0.0))

    def keep(self, request_id: str, artifact_rel: str) -> None:
        """Give the lease of an id no end: accepted work may wait for long before it runs."""
        statement = (
            update(extracts)
            .where(extracts.c.request_id == request_id, extracts.c.artifact_rel == artifact_rel)
            .values(lease_until=math.inf)
        )
        with writing(self._engine) as connection:
            connection.execute(statement)

    def find(self, request_id: str) -> IndexEntry | None:
        """The entry of an id."""
        query = (
            select(
                extracts.c.request_id,
                extracts.c.owner_key_id,
                extracts.c.artifact_rel,
                extracts.c.lease_until,
                erasures.c.erased_at,
            )
            .join_from(extracts, erasures, _SAME_ID, isouter=True)
            .where(extracts.c.request_id == request_id)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else IndexEntry(*row)

    def restore(self, request_id: str, owner_key_id: str, artifact_rel: str) -> None:
        """Note an id whose artifact was found in the store; what is noted already stays."""
        self._insert(IndexEntry(request_id, owner_key_id, artifact_rel, lease_until=0.0))

    def forget(self, request_id: str, artifact_rel: str) -> None:
        """Free an id whose artifact was purged."""
        purged = (extracts.c.request_id == request_id, extracts.c.artifact_rel == artifact_rel)
        with writing(self._engine) as connection:
            connection.execute(delete(extracts).where(*purged))

    def _insert(self, entry: IndexEntry) -> bool:
        row = {
            "request_id": entry.request_id,
            "owner_key_id": entry.owner_key_id,
            "artifact_rel": entry.artifact_rel,
            "lease_until": entry.lease_until,
        }
        with writing(self._engine) as connection:
            return insert_new_row(connection, extracts, row)

    def _take_over(self, held: IndexEntry, entry: IndexEntry) -> bool:
        statement = (
            update(extracts)
            .where(extracts.c.request_id == held.request_id)
            .where(extracts.c.lease_until == held.lease_until)
            .values(
                owner_key_id=entry.owner_key_id,
                artifact_rel=entry.artifact_rel,
                lease_until=entry.lease_until,
            )
        )
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount == 1


def require_visible(entry: IndexEntry | None, caller: Caller) -> IndexEntry:
    """The entry, for who may see it. Raises `not_found`; of what was erased it says when."""
    if entry is None or not caller.may_see(entry.owner_key_id):
        raise not_found()
    if entry.erased_at is not None:
        moment = timestamp(datetime.fromtimestamp(entry.erased_at, UTC))
        details = {"reason": "erased", "erased_at": moment}
        raise Error("not_found", Kind.NOT_FOUND, "This extraction was erased.", details)
    return entry

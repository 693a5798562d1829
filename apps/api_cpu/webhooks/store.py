"""The tables of webhooks: what is to be sent, to whom it was, and which secrets are in use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    delete,
    func,
    literal_column,
    select,
    update,
)

from apps.api_cpu.db.engine import reading, upsert, writing
from apps.api_cpu.db.tables import webhook_deliveries as deliveries
from apps.api_cpu.db.tables import webhook_secrets
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.webhooks.callback import parse_callback
from apps.api_cpu.webhooks.schedule import RETRIES_FOR_S
from apps.api_cpu.wire import dump, load_stored

_PURGED_AT_ONCE = 500


class State(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries that are to be sent, and those that were given up and not forgotten yet."""

    pending: int = 0
    undelivered: int = 0


# Written out, not bound: a partial index serves only a condition that is known when it is planned.
_IS_PENDING = deliveries.c.state == literal_column("'pending'")
_IS_UNDELIVERED = deliveries.c.state == literal_column("'undelivered'")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row. Times are in Unix seconds."""

    delivery_id: str
    owner_key_id: str
    job_id: str
    event: str
    url: str
    host: str
    state: State
    created_at: float
    next_at: float
    expires_at: float
    lease_until: float
    attempts: int
    failed: int
    last_at: float | None = None
    last_problem: str | None = None
    last_status: int | None = None
    finished_at: float | None = None
    trace: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: `next_at` is None when there will be no other."""

    state: State
    at: float
    problem: str | None = None
    status: int | None = None
    next_at: float | None = None


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """Which secret of a key signs; that of the version before too until `previous_until`."""

    version: int = 1
    previous_until: float | None = None

    def in_use(self, now: float) -> Sequence[int]:
        """The versions to sign with, the current one first."""
        has_previous = self.previous_until is not None and now < self.previous_until
        return (self.version, self.version - 1) if has_previous else (self.version,)


_COLUMNS = [deliveries.c[name] for name in Delivery.__dataclass_fields__]


def queue(
    connection: Connection,
    owner_key_id: str,
    job_id: str,
    event: str,
    url: str,
    now: float,
    trace: Mapping[str, str] | None = None,
) -> None:
    """Have the end of a job told, within the transaction that records it. Safe to repeat.

    `trace` is the carrier of the trace that the job belongs to.
    """
    row = Delivery(
        delivery_id=new_request_id(),
        owner_key_id=owner_key_id,
        job_id=job_id,
        event=event,
        url=url,
        host=parse_callback(url).host,
        state=State.PENDING,
        created_at=now,
        next_at=now,
        expires_at=now + RETRIES_FOR_S,
        lease_until=0.0,
        attempts=0,
        failed=0,
    )
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    values["trace"] = None if trace is None else dump(trace).decode()
    connection.execute(upsert(connection, deliveries).values(**values).on_conflict_do_nothing())


class DeliveryStore:
    """Reads and writes deliveries. Safe to share between threads and processes.

    What an attempt writes is guarded by its number: who has lost the lease changes nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(
        self, now: float, lease_until: float, limit: int, busy: Collection[str] = ()
    ) -> list[Delivery]:
        """Up to `limit` deliveries that are due, for the caller to send until the lease is over.

        Those to `busy` hosts wait: one receiver that hangs must not hold up the others.
        """
        due = [_IS_PENDING, deliveries.c.next_at <= now, deliveries.c.lease_until <= now]
        if busy:
            due.append(deliveries.c.host.not_in(list(busy)))
        query = select(*_COLUMNS).where(*due).order_by(deliveries.c.next_at).limit(limit)
        with reading(self._engine) as connection:
            found = [_from_row(row) for row in connection.execute(query).mappings()]
        return [
            replace(each, attempts=each.attempts + 1)
            for each in found
            if self._lease(each, lease_until)
        ]

    def record(self, claimed: Delivery, outcome: Outcome) -> bool:
        """Note what came of an attempt; False when its lease was lost."""
        ended = outcome.state is not State.PENDING
        return self._update(
            _is_held(claimed),
            state=outcome.state,
            next_at=claimed.next_at if outcome.next_at is None else outcome.next_at,
            lease_until=0.0,
            failed=claimed.failed if outcome.problem is None else claimed.failed + 1,
            last_at=outcome.at,
            last_problem=outcome.problem,
            last_status=outcome.status,
            finished_at=outcome.at if ended else None,
        )

    def waiting(self) -> Waiting:
        """How many of all owners have not arrived."""
        with reading(self._engine) as connection:
            pending, undelivered = (
                int(connection.scalar(select(func.count()).where(condition)) or 0)
                for condition in (_IS_PENDING, _IS_UNDELIVERED)
            )
            return Waiting(pending, undelivered)

    def find(self, delivery_id: str) -> Delivery | None:
        """One delivery."""
        query = select(*_COLUMNS).where(deliveries.c.delivery_id == delivery_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _from_row(row)

    def page(
        self, owner_key_id: str | None, state: State | None, before: str | None, limit: int
    ) -> list[Delivery]:
        """Newest first, those of one owner or all; `before`: the last id of the page before."""
        query = select(*_COLUMNS)
        if owner_key_id is not None:
            query = query.where(deliveries.c.owner_key_id == owner_key_id)
        if state is not None:
            query = query.where(deliveries.c.state == state)
        if before is not None:
            query = query.where(deliveries.c.delivery_id < before)
        newest = query.order_by(deliveries.c.delivery_id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_from_row(row) for row in connection.execute(newest).mappings()]

    def replay(self, delivery_id: str, now: float) -> bool:
        """Have a delivery sent again from now on, for another day; False when there is none."""
        return self._update(
            [deliveries.c.delivery_id == delivery_id],
            state=State.PENDING,
            next_at=now,
            expires_at=now + RETRIES_FOR_S,
            failed=0,
            finished_at=None,
        )

    def purge(self, delivered_before: float, undelivered_before: float) -> int:
        """Forget deliveries that ended before these times, some at once; how many."""
        old = select(deliveries.c.delivery_id).where(
            (
                (deliveries.c.state == State.DELIVERED)
                & (deliveries.c.finished_at < delivered_before)
            )
            | (
                (deliveries.c.state == State.UNDELIVERED)
                & (deliveries.c.finished_at < undelivered_before)
            )
        )
        with writing(self._engine) as connection:
            some = connection.scalars(old.limit(_PURGED_AT_ONCE)).all()
            connection.execute(delete(deliveries).where(deliveries.c.delivery_id.in_(some)))
        return len(some)

    def secret_version(self, owner_key_id: str) -> SecretVersion:
        """Which secret of a key is in use; the first unless it was rotated."""
        query = select(webhook_secrets.c.version, webhook_secrets.c.previous_until).where(
            webhook_secrets.c.owner_key_id == owner_key_id
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return SecretVersion() if row is None else SecretVersion(*row)

    def rotate_secret(self, owner_key_id: str, previous_until: float | None) -> SecretVersion:
        """Use the next secret of a key."""
        with writing(self._engine) as connection:
            first = upsert(connection, webhook_secrets).values(
                owner_key_id=owner_key_id, version=2, previous_until=previous_until
            )
            rotated = first.on_conflict_do_update(
                index_elements=["owner_key_id"],
                set_={
                    "version": webhook_secrets.c.version + 1,
                    "previous_until": previous_until,
                },
            )
            connection.execute(rotated)
        return self.secret_version(owner_key_id)

    def _lease(self, due: Delivery, lease_until: float) -> bool:
        values = {"lease_until": lease_until, "attempts": due.attempts + 1}
        return self._update([*_is_held(due), _IS_PENDING], **values)

    def _update(self, where: Sequence[ColumnElement[bool]], **values: Any) -> bool:
        with writing(self._engine) as connection:
            return (
                connection.execute(update(deliveries).where(*where).values(**values)).rowcount == 1
            )


def _is_held(claimed: Delivery) -> list[ColumnElement[bool]]:
    return [
        deliveries.c.delivery_id == claimed.delivery_id,
        deliveries.c.attempts == claimed.attempts,
    ]


def _from_row(row: Any) -> Delivery:
    values = dict(row)
    trace = values["trace"]
    values["trace"] = None if trace is None else load_stored(trace.encode())
    return Delivery(**values | {"state": State(values["state"])})

"""The table of idempotency keys: who works under one, and what the first answer was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, and_, delete, func, select, update

from apps.api_cpu.db.engine import reading, upsert, writing
from apps.api_cpu.db.tables import idempotency_keys as keys

_PURGED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Name:
    """A key and the API key that it belongs to."""

    owner_key_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered. `body` is None where it is kept elsewhere."""

    status: int
    body: bytes | None
    media_type: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row. Times are in Unix seconds.

    `resource_id` names what the work makes; `fingerprint` is None until the body has arrived;
    `answer` until there is one; `attempt` counts those who have worked under the key.
    """

    name: Name
    route: str
    resource_id: str
    attempt: int
    created_at: float
    lease_until: float
    fingerprint: str | None = None
    answer: Answer | None = None


class IdempotencyStore:
    """Reads and writes keys. Safe to share between threads and processes.

    Every write of an attempt is guarded by its number: who has lost the key changes nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, entry: Entry, oldest: float) -> Entry | None:
        """Insert a key; None when that worked, else the row that has it.

        One that was made before `oldest` is forgotten first.
        """
        values = {
            "owner_key_id": entry.name.owner_key_id,
            "idempotency_key": entry.name.key,
            "route": entry.route,
            "resource_id": entry.resource_id,
            "attempt": entry.attempt,
            "created_at": entry.created_at,
            "lease_until": entry.lease_until,
        }
        with writing(self._engine) as connection:
            connection.execute(delete(keys).where(_is(entry.name), keys.c.created_at < oldest))
            insertion = upsert(connection, keys).values(**values).on_conflict_do_nothing()
            if connection.execute(insertion).rowcount == 1:
                return None
            row = connection.execute(select(keys).where(_is(entry.name))).one()
        return _from_row(row._mapping)

    def take_over(self, held: Entry, lease_until: float) -> bool:
        """Have a key whose lease is over; False when somebody else was faster."""
        values = {"attempt": held.attempt + 1, "lease_until": lease_until}
        return self._update(held, keys.c.lease_until == held.lease_until, **values)

    def note(self, entry: Entry, fingerprint: str | None, resource_id: str) -> bool:
        """Write down what the body says and what the work makes; False when the key was lost."""
        return self._update(entry, fingerprint=fingerprint, resource_id=resource_id)

    def finish(self, entry: Entry, answer: Answer) -> bool:
        """Keep the answer; False when the key was lost."""
        return self._update(
            entry,
            status=answer.status,
            body=answer.body,
            media_type=answer.media_type,
            location=answer.location,
        )

    def free(self, entry: Entry) -> None:
        """Forget a key under which nothing was done."""
        with writing(self._engine) as connection:
            connection.execute(delete(keys).where(_is_held(entry)))

    def renew(self, held: Iterable[Entry], lease_until: float) -> None:
        """Say that who holds these keys lives."""
        with writing(self._engine) as connection:
            for entry in held:
                renewal = update(keys).where(_is_held(entry)).values(lease_until=lease_until)
                connection.execute(renewal)

    def purge(self, oldest: float) -> int:
        """Forget keys made before `oldest`, some at a time; how many."""
        some = (
            select(keys.c.owner_key_id, keys.c.idempotency_key)
            .where(keys.c.created_at < oldest)
            .limit(_PURGED_AT_ONCE)
        )
        with writing(self._engine) as connection:
            gone = connection.execute(some).all()
            for owner, key in gone:
                connection.execute(delete(keys).where(_is(Name(owner, key))))
        return len(gone)

    def drop_bodies(self, resource_id: str) -> None:
        """Forget what the answers about it said; that they were given stays."""
        about = keys.c.resource_id == resource_id
        with writing(self._engine) as connection:
            connection.execute(update(keys).where(about).values(body=None))

    def owners_above(self, limit: int) -> Sequence[str]:
        """The API keys that have more than `limit` rows."""
        query = select(keys.c.owner_key_id).group_by(keys.c.owner_key_id)
        with reading(self._engine) as connection:
            return connection.scalars(query.having(func.count() > limit)).all()

    def _update(self, entry: Entry, *more: ColumnElement[bool], **values: object) -> bool:
        statement = update(keys).where(_is_held(entry), *more).values(**values)
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount == 1


def _is(name: Name) -> ColumnElement[bool]:
    return and_(keys.c.owner_key_id == name.owner_key_id, keys.c.idempotency_key == name.key)


def _is_held(entry: Entry) -> ColumnElement[bool]:
    return and_(_is(entry.name), keys.c.attempt == entry.attempt, keys.c.status.is_(None))


def _from_row(row: object) -> Entry:
    found = dict(row)  # type: ignore[call-overload]  # a RowMapping
    answer = None
    if found["status"] is not None:
        answer = Answer(found["status"], found["body"], found["media_type"], found["location"])
    return Entry(
        Name(found["owner_key_id"], found["idempotency_key"]),
        found["route"],
        found["resource_id"],
        found["attempt"],
        found["created_at"],
        found["lease_until"],
        found["fingerprint"],
        answer,
    )

"""The tables of stored inputs: what is stored under which reference, and who holds it for what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from apps.api_cpu.db.engine import reading, upsert, writing
from apps.api_cpu.db.tables import input_holds, inputs


@dataclass(frozen=True, slots=True)
class Claimed:
    """A reference that may be written: nobody has begun to remove what is there."""

    input_ref: str
    is_stored: bool


_MOST_AT_ONCE = 500
_HAS_HOLDS = exists().where(input_holds.c.input_ref == inputs.c.input_ref)


class InputIndex:
    """Reads and writes both tables. Times are in Unix seconds. Safe to share between processes.

    Whoever changes holds writes the input's row first (`touched_at`): that row is what two
    transactions about one input wait for, on every database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(
        self,
        key_of: Callable[[int], str],
        sha256: str,
        size_bytes: int,
        hold: tuple[str, str],
        now: float,
    ) -> Claimed:
        """Hold the content under the first of its keys (1, 2, ...) that is not being removed.

        `hold` is the holder and the owner's key id.
        """
        removing = and_(inputs.c.sha256 == sha256, inputs.c.removing_at.is_not(None))
        with writing(self._engine) as connection:
            of_this_day = inputs.c.input_ref.startswith(key_of(1).partition(".")[0])
            used = select(func.count()).where(removing & of_this_day)
            for generation in count(1 + (connection.scalar(used) or 0)):
                ref = key_of(generation)
                statement = (
                    upsert(connection, inputs)
                    .values(input_ref=ref, sha256=sha256, size_bytes=size_bytes, touched_at=now)
                    .on_conflict_do_update(
                        index_elements=["input_ref"],
                        set_={"touched_at": now},
                        where=inputs.c.removing_at.is_(None),
                    )
                )
                if connection.execute(statement).rowcount == 1:
                    break
            _add_hold(connection, ref, hold, now)
            query = select(inputs.c.stored_at).where(inputs.c.input_ref == ref)
            return Claimed(ref, connection.scalar(query) is not None)

    def expect(
        self,
        input_ref: str,
        sha256: str,
        size_bytes: int,
        hold: tuple[str, str],
        span: tuple[float, float],
        most: int,
    ) -> bool:
        """Hold what a client will upload; not swept before the end of `span`, which begins now.

        False where the owner has `most` already of which nothing has been seen.
        """
        now, until = span
        row = {"input_ref": input_ref, "sha256": sha256, "size_bytes": size_bytes}
        # Nothing else was touched in the future: the index on that leads to these alone.
        waiting = (
            select(inputs.c.input_ref)
            .join(input_holds, input_holds.c.input_ref == inputs.c.input_ref)
            .where(inputs.c.touched_at > now, inputs.c.stored_at.is_(None))
            .where(input_holds.c.owner_key_id == hold[1])
            .limit(most)
        )
        with writing(self._engine) as connection:
            if connection.scalar(select(func.count()).select_from(waiting.subquery())) == most:
                return False
            connection.execute(insert(inputs).values(**row, touched_at=until))
            _add_hold(connection, input_ref, hold, until)
        return True

    def expected(self, input_ref: str) -> tuple[str, int] | None:
        """Hash and size of what has not been seen in the store yet; None once it has."""
        query = select(inputs.c.sha256, inputs.c.size_bytes).where(
            inputs.c.input_ref == input_ref, inputs.c.stored_at.is_(None)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.sha256, row.size_bytes)

    def stored(self, input_ref: str, now: float) -> bool:
        """Note that the object is there; False when its removal has begun meanwhile."""
        statement = (
            update(inputs)
            .where(inputs.c.input_ref == input_ref)
            .where(inputs.c.removing_at.is_(None))
            .values(stored_at=now, touched_at=now)
        )
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount == 1

    def hold(self, input_ref: str, hold: tuple[str, str], now: float) -> bool:
        """One more reason to keep what is stored; False when it is gone or going."""
        statement = (
            update(inputs)
            .where(inputs.c.input_ref == input_ref)
            .where(inputs.c.removing_at.is_(None))
            .where(inputs.c.stored_at.is_not(None))
            .values(touched_at=now)
        )
        with writing(self._engine) as connection:
            if connection.execute(statement).rowcount != 1:
                return False
            _add_hold(connection, input_ref, hold, now)
        return True

    def restore(self, input_ref: str, sha256: str, hold: tuple[str, str], now: float) -> None:
        """Note an object that was found in the store, and who keeps it."""
        row = {"input_ref": input_ref, "sha256": sha256, "touched_at": now, "stored_at": now}
        with writing(self._engine) as connection:
            statement = upsert(connection, inputs).values(**row)
            connection.execute(statement.on_conflict_do_nothing())
        self.hold(input_ref, hold, now)

    def expired(self, holder: str, before_ref: str, limit: int) -> Sequence[str]:
        """References of a holder that come before another one in the order of their days."""
        query = (
            select(input_holds.c.input_ref)
            .where(input_holds.c.holder == holder, input_holds.c.input_ref < before_ref)
            .distinct()
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def release(
        self,
        holder: str,
        now: float,
        *,
        input_ref: str | None = None,
        owner_key_id: str | None = None,
    ) -> Sequence[str]:
        """Drop a holder's holds, or those of one input or owner; returns whose row they were on."""
        which = input_holds.c.holder == holder
        if input_ref is not None:
            which &= input_holds.c.input_ref == input_ref
        if owner_key_id is not None:
            which &= input_holds.c.owner_key_id == owner_key_id
        with writing(self._engine) as connection:
            refs = sorted(set(connection.scalars(select(input_holds.c.input_ref).where(which))))
            for ref in refs:
                row = inputs.c.input_ref == ref
                connection.execute(update(inputs).where(row).values(touched_at=now))
            connection.execute(delete(input_holds).where(which))
        return refs

    def owners(self, input_ref: str) -> frozenset[str]:
        """The keys that hold this input."""
        query = select(input_holds.c.owner_key_id).where(input_holds.c.input_ref == input_ref)
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def over(self, prefix: str, before: float) -> Sequence[str]:
        """Holders of that prefix whose time was over before that moment."""
        query = select(input_holds.c.holder).where(
            input_holds.c.holder.startswith(prefix), input_holds.c.created_at < before
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query.distinct().limit(_MOST_AT_ONCE)))

    def holders(self, not_of: str, not_like: str, before: float, limit: int) -> Sequence[str]:
        """Holders but for one, and those of a prefix, whose holds are older than `before`."""
        query = (
            select(input_holds.c.holder)
            .where(input_holds.c.holder != not_of, ~input_holds.c.holder.startswith(not_like))
            .where(input_holds.c.created_at < before)
            .distinct()
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def condemn(self, before: float, now: float, limit: int) -> Sequence[str]:
        """Begin to remove what nobody holds, and what was never stored, untouched since `before`.

        Returns the references, with those whose removal began earlier and did not end.
        """
        unwanted = and_(
            inputs.c.removing_at.is_(None),
            inputs.c.touched_at < before,
            or_(inputs.c.stored_at.is_(None), ~_HAS_HOLDS),
        )
        left_over = and_(inputs.c.removing_at < before, inputs.c.removed_at.is_(None))
        with reading(self._engine) as connection:
            found = list(
                connection.scalars(select(inputs.c.input_ref).where(unwanted).limit(limit))
            )
            unfinished = connection.scalars(
                select(inputs.c.input_ref).where(left_over).limit(limit)
            )
            begun = list(unfinished)
        return begun + [ref for ref in found if self._begin_removal(ref, unwanted, now)]

    def condemn_unheld(self, input_ref: str, now: float) -> bool:
        """Begin to remove one input at once, or go on with it, unless somebody holds it."""
        return self._begin_removal(input_ref, ~_HAS_HOLDS & inputs.c.removed_at.is_(None), now)

    def of_content(self, sha256: str) -> Sequence[str]:
        """The inputs with that content whose objects are not gone."""
        there = (inputs.c.sha256 == sha256, inputs.c.removed_at.is_(None))
        with reading(self._engine) as connection:
            return list(connection.scalars(select(inputs.c.input_ref).where(*there)))

    def removed(self, input_ref: str, now: float) -> None:
        """Note that the object is gone."""
        row = inputs.c.input_ref == input_ref
        with writing(self._engine) as connection:
            connection.execute(update(inputs).where(row).values(removed_at=now))

    def forget_removed(self, before: float) -> int:
        """Drop the rows of objects that were gone before that moment; returns how many."""
        with writing(self._engine) as connection:
            return connection.execute(delete(inputs).where(inputs.c.removed_at < before)).rowcount

    def _begin_removal(self, input_ref: str, while_it_is: ColumnElement[bool], now: float) -> bool:
        row = inputs.c.input_ref == input_ref
        begin = update(inputs).where(row).where(while_it_is).values(removing_at=now)
        with writing(self._engine) as connection:
            # Locked before it is judged: PostgreSQL would judge the holds as they were before.
            connection.execute(select(inputs.c.input_ref).where(row).with_for_update())
            if connection.execute(begin).rowcount != 1:
                return False
            holds = input_holds.c.input_ref == input_ref
            connection.execute(delete(input_holds).where(holds))
        return True


def _add_hold(connection: Connection, ref: str, hold: tuple[str, str], now: float) -> None:
    holder, owner_key_id = hold
    statement = upsert(connection, input_holds).values(
        input_ref=ref, holder=holder, owner_key_id=owner_key_id, created_at=now
    )
    connection.execute(statement.on_conflict_do_nothing())

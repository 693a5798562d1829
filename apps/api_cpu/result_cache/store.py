"""The table of answers that may be given again: which extraction answered which question."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Engine, bindparam, delete, func, select

from apps.api_cpu.db.engine import reading, upsert, writing
from apps.api_cpu.db.tables import cached_answers, erasures

_BATCH = 500


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A row: the answer itself is in the artifact. `created_at` in Unix seconds."""

    cache_key: str
    owner_key_id: str
    sha256: str
    request_id: str
    artifact_rel: str
    created_at: float


_COLUMNS = [cached_answers.c[name] for name in CachedAnswer.__dataclass_fields__]
# Made once: to make it takes longer than to execute it.
_FIND = (
    select(*_COLUMNS)
    .join_from(
        cached_answers,
        erasures,
        cached_answers.c.request_id == erasures.c.request_id,
        isouter=True,
    )
    .where(cached_answers.c.cache_key == bindparam("cache_key"))
    .where(cached_answers.c.created_at >= bindparam("since"), erasures.c.request_id.is_(None))
)


class CachedAnswerIndex:
    """Reads and writes rows. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        """`engine` is on the database of the index, which has the erasures."""
        self._engine = engine

    def find(self, cache_key: str, since: float) -> CachedAnswer | None:
        """The answer to a question that was given since then and has not been erased."""
        with reading(self._engine) as connection:
            row = connection.execute(_FIND, {"cache_key": cache_key, "since": since}).first()
        return None if row is None else CachedAnswer(*row)

    def keep(self, answer: CachedAnswer) -> None:
        """Note an answer; of two to the same question the later one stays."""
        values = asdict(answer)
        statement = upsert(self._engine, cached_answers).values(**values)
        changed = {name: value for name, value in values.items() if name != "cache_key"}
        with writing(self._engine) as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["cache_key"], set_=changed)
            )

    def forget_request(self, request_id: str) -> None:
        """Drop what an extraction answered."""
        self._forget(cached_answers.c.request_id == request_id)

    def forget_document(self, owner_key_id: str, sha256: str) -> None:
        """Drop what was answered of an owner's document."""
        self._forget(
            (cached_answers.c.owner_key_id == owner_key_id) & (cached_answers.c.sha256 == sha256)
        )

    def forget_before(self, moment: float) -> int:
        """Drop a batch of what was answered before `moment`; 0 when there is nothing left."""
        return self._forget_some(cached_answers.c.created_at < moment)

    def forget_beyond(self, most: int) -> int:
        """Drop a batch of the oldest where there are more than `most`; 0 when there are not."""
        with reading(self._engine) as connection:
            count = connection.scalar(select(func.count()).select_from(cached_answers)) or 0
        return self._forget_some(None, count - most) if count > most else 0

    def _forget(self, which: ColumnElement[bool]) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(cached_answers).where(which))

    def _forget_some(self, which: ColumnElement[bool] | None, most: int = _BATCH) -> int:
        oldest = select(cached_answers.c.cache_key).order_by(cached_answers.c.created_at)
        if which is not None:
            oldest = oldest.where(which)
        with writing(self._engine) as connection:
            keys = list(connection.scalars(oldest.limit(min(most, _BATCH))))
            connection.execute(delete(cached_answers).where(cached_answers.c.cache_key.in_(keys)))
        return len(keys)

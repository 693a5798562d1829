"""The index of corrections: which extraction has which, in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, delete, select

from apps.api_cpu.db.engine import reading, upsert, writing
from apps.api_cpu.db.tables import corrections


class CorrectionIndex:
    """Where corrections are kept. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, correction_id: str, request_id: str, artifact_rel: str) -> None:
        """Note a correction that is written next, or has been; twice is the same as once."""
        statement = upsert(self._engine, corrections).values(
            correction_id=correction_id, request_id=request_id, artifact_rel=artifact_rel
        )
        with writing(self._engine) as connection:
            connection.execute(statement.on_conflict_do_nothing())

    def of(self, request_id: str) -> Sequence[str]:
        """The artifacts of an extraction's corrections, the oldest first."""
        query = (
            select(corrections.c.artifact_rel)
            .where(corrections.c.request_id == request_id)
            .order_by(corrections.c.correction_id)
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def forget(self, request_id: str) -> None:
        """Drop the rows of an extraction's corrections."""
        with writing(self._engine) as connection:
            connection.execute(delete(corrections).where(corrections.c.request_id == request_id))

    def forget_one(self, correction_id: str) -> None:
        """Drop the row of a correction whose artifact was purged, or could not be written."""
        row = corrections.c.correction_id == correction_id
        with writing(self._engine) as connection:
            connection.execute(delete(corrections).where(row))

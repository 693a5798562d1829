"""The table of uploads that this server takes itself."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select

from apps.api_cpu.db.engine import reading, writing
from apps.api_cpu.db.tables import uploads


@dataclass(frozen=True, slots=True)
class ExpectedUpload:
    """A row: what may be sent, until when (Unix seconds), by whoever has the token."""

    upload_id: str
    input_ref: str
    sha256: str
    size_bytes: int
    token_sha256: str
    expires_at: float


_COLUMNS = [uploads.c[name] for name in ExpectedUpload.__dataclass_fields__]


class UploadIndex:
    """Reads and writes uploads. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, upload: ExpectedUpload) -> None:
        """Let it come."""
        values = {name: getattr(upload, name) for name in ExpectedUpload.__dataclass_fields__}
        with writing(self._engine) as connection:
            connection.execute(insert(uploads).values(**values))

    def find(self, upload_id: str) -> ExpectedUpload | None:
        """What may come under this id."""
        query = select(*_COLUMNS).where(uploads.c.upload_id == upload_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else ExpectedUpload(**row._mapping)

    def forget_expired(self, before: float) -> int:
        """Drop those that may come no more; returns how many."""
        with writing(self._engine) as connection:
            return connection.execute(delete(uploads).where(uploads.c.expires_at < before)).rowcount

"""The table of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, insert, select, update

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import reading, writing
from apps.api_cpu.db.tables import api_keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row: what is known of a key. Times are naive and in UTC."""

    key_id: str
    name: str
    role: Role
    mac: bytes
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    previous_mac: bytes | None = None
    previous_expires_at: datetime | None = None


_COLUMNS = [api_keys.c[name] for name in StoredKey.__dataclass_fields__]


class KeyStore:
    """Reads and writes keys. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, key: StoredKey) -> None:
        """Insert a new key."""
        values = {name: getattr(key, name) for name in StoredKey.__dataclass_fields__}
        with writing(self._engine) as connection:
            connection.execute(insert(api_keys).values(**values | {"role": key.role.value}))

    def get(self, key_id: str) -> StoredKey | None:
        """The key of that id."""
        with reading(self._engine) as connection:
            row = connection.execute(select(*_COLUMNS).where(api_keys.c.key_id == key_id)).first()
        return None if row is None else _from_row(row._mapping)

    def all(self) -> Sequence[StoredKey]:
        """All keys, oldest first."""
        query = select(*_COLUMNS).order_by(api_keys.c.created_at, api_keys.c.key_id)
        with reading(self._engine) as connection:
            return [_from_row(row._mapping) for row in connection.execute(query)]

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Mark a key as revoked; False when there is no such unrevoked key."""
        return self._update(key_id, unrevoked=True, revoked_at=now)

    def replace_secret(
        self,
        key_id: str,
        mac: bytes,
        previous_mac: bytes | None,
        previous_expires_at: datetime | None,
    ) -> bool:
        """Give a key a new secret; False when there is no such unrevoked key."""
        return self._update(
            key_id,
            unrevoked=True,
            mac=mac,
            previous_mac=previous_mac,
            previous_expires_at=previous_expires_at,
        )

    def touch(self, key_id: str, now: datetime) -> None:
        """Note when a key was last used."""
        self._update(key_id, unrevoked=False, last_used_at=now)

    def _update(self, key_id: str, *, unrevoked: bool, **values: object) -> bool:
        statement = update(api_keys).where(api_keys.c.key_id == key_id).values(**values)
        if unrevoked:
            statement = statement.where(api_keys.c.revoked_at.is_(None))
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount == 1


def _from_row(row: object) -> StoredKey:
    values = dict(row)  # type: ignore[call-overload]  # a RowMapping
    return StoredKey(**values | {"role": Role(values["role"])})

"""Opens a SQLite database, brings its schema up to date, and names database failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from lib.errors import Error, Kind

_MIGRATIONS = Path(__file__).parent / "migrations"
# A writer of ours holds the lock for milliseconds; a request that waits longer has a deadline.
_BUSY_TIMEOUT_S = 5
# More than there are threads to use them, so that none waits for a connection as well.
_MOST_CONNECTIONS = 64


class Schema(StrEnum):
    """Which tables a database holds: the label of an Alembic branch."""

    KEYS = "keys"
    INDEX = "index"
    VENDORS = "vendors"


class Durability(StrEnum):
    """SQLite's `synchronous`: whether a commit survives a power loss, or only a crash of ours."""

    POWER_LOSS = "FULL"
    CRASH = "NORMAL"


def open_database(path: Path, schema: Schema, durability: Durability) -> Engine:
    """An engine on the file, created if missing, at the newest version of `schema`.

    Raises `storage_unavailable` when the file cannot be opened or migrated.
    """
    with _translated():
        _make_folder(path.parent)
        engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": _BUSY_TIMEOUT_S},
            pool_size=8,
            max_overflow=_MOST_CONNECTIONS - 8,
            pool_timeout=_BUSY_TIMEOUT_S,
        )
        _configure(engine, durability)
        _migrate(engine, schema)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading."""
    with _translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its beginning, committed at the end."""
    with _translated(), engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise _unavailable() from None


def _configure(engine: Engine, durability: Durability) -> None:
    # The driver's own transactions are switched off: it would begin them without the write lock.
    def connected(raw: Any, _record: object) -> None:
        raw.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {durability.value}",
            "foreign_keys = ON",
        ):
            raw.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", connected)


def _migrate(engine: Engine, schema: Schema) -> None:
    # Imported here, while the OCR workers load already: it takes a tenth of the server's start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, f"{schema.value}@head")
        connection.commit()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError:
        raise _unavailable() from None


def _unavailable() -> Error:
    return Error(
        "storage_unavailable", Kind.UNAVAILABLE, "The database is not available.", retryable=True
    )

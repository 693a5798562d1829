"""Opens a database, brings its schema up to date, and names database failures.

A database is a SQLite file of this machine, or PostgreSQL where several hosts share it. The stores
say the same to both; what differs is here.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from sqlalchemy import (
    Connection,
    Engine,
    Insert,
    Select,
    Table,
    column,
    create_engine,
    event,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.dialects import registry, sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.util import LRUCache

from lib.errors import Error, Kind

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_MIGRATIONS = Path(__file__).parent / "migrations"
# A writer of ours holds the lock for milliseconds; a request that waits longer has a deadline.
_BUSY_TIMEOUT_S = 5.0
# But for one that migrates, which takes longer where several start at once.
_MIGRATING_TIMEOUT_S = 60.0
# SQLite's own wait sleeps longer the longer it waits, and so starves beside writers that have just
# come: waiting for the write lock is done in short turns with pauses of random length.
_BUSY_TURN_MS = 20
_MOST_PAUSE_S = 0.02
_WAIT_BRIEFLY = f"PRAGMA busy_timeout = {_BUSY_TURN_MS}"
_WAIT = f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000:.0f}"
# More than there are threads to use them, so that none waits for a connection as well.
_MOST_CONNECTIONS = 64
# A server allows 100 connections unless it is told otherwise, and every process of ours has a pool
# for each of its schemas.
_KEPT_ON_SERVER = 2
_MOST_ON_SERVER = 8
_SERVER_RECYCLE_S = 1800
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_SERVER_CONNECTION = {
    "connect_timeout": 5,
    "application_name": "ocr-service",
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# A process that is stopped in the middle of a transaction must not keep its locks for ever.
_SERVER_LIMITS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "5s",
}
_MIGRATING = "migrations"
# https://alembic.sqlalchemy.org/en/latest/api/runtime.html#alembic.runtime.environment.EnvironmentContext.configure.params.version_table
_VERSIONS = table("alembic_version", column("version_num"))


class OneFileLikeAnother(SQLiteDialect_pysqlite):
    """SQLite's dialect, equal for all files, so that one has use of what is compiled for another.

    By itself each engine compiles every statement again: half of what a start says to them.
    """

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


registry.register("sqlite.files", __name__, OneFileLikeAnother.__name__)
# As many as an engine keeps by itself.
_COMPILED: LRUCache[Any, Any] = LRUCache(500)


class Schema(StrEnum):
    """Which tables a database holds: the label of an Alembic branch."""

    KEYS = "keys"
    INDEX = "index"
    VENDORS = "vendors"
    JOBS = "jobs"
    DUPLICATES = "duplicates"


class Durability(StrEnum):
    """Whether a commit survives a power loss, or only a crash of ours: SQLite's `synchronous`."""

    POWER_LOSS = "FULL"
    CRASH = "NORMAL"


Location = Path | SecretStr
"""A SQLite file, or a `postgresql://` URL, which may hold a password."""


def open_database(location: Location, schema: Schema, durability: Durability) -> Engine:
    """An engine on the database, at the newest version of `schema`; a file is made if missing.

    Raises `storage_unavailable`, which names it, when it cannot be opened or migrated.
    """
    try:
        if isinstance(location, Path):
            engine = _on_file(location, durability)
        else:
            engine = _on_server(location, durability)
        _migrate(engine, schema)
    except (SQLAlchemyError, sqlite3.Error, OSError, Error):
        # Nothing of an address, any part of which may be a secret.
        which = location if isinstance(location, Path) else "the PostgreSQL server"
        said = f"The database of {schema.value} cannot be opened: {which}"
        raise Error("storage_unavailable", Kind.UNAVAILABLE, said, retryable=True) from None
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading; each statement sees what is committed when it runs."""
    with _translated(), engine.connect() as connection:
        # On a server this saves the round trips of a transaction around each query.
        yield (
            connection.execution_options(isolation_level="AUTOCOMMIT")
            if _is_server(connection)
            else connection
        )


@contextmanager
def writing(engine: Engine, wait_s: float = _BUSY_TIMEOUT_S) -> Iterator[Connection]:
    """A transaction, committed at the end; it waits that long for the write lock of a file.

    On SQLite it holds the write lock from its beginning, so whatever it reads stays true. On
    PostgreSQL others write beside it: a decision is part of its statement (`update ... where`), or
    is made under `hold`.
    """
    with _translated(), engine.connect() as connection:
        if not _is_server(connection):
            _take_write_lock(connection, wait_s)
        yield connection
        connection.commit()


def hold(connection: Connection, name: str) -> None:
    """Until its transaction ends, no other one on this database holds the same name.

    On SQLite that is so anyway: there `writing` lets in one at a time.
    """
    if _is_server(connection):
        number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": number})


class Prepared:
    """A statement of every request, compiled once and said to SQLite's driver itself.

    The way there through SQLAlchemy takes longer than the statement; a server is asked through it.
    Every value that the statement names is given, or was when it was made.
    """

    def __init__(self, statement: Select[Any] | Insert) -> None:
        dialect = sqlite.dialect(paramstyle="named")
        compiled = statement.compile(dialect=dialect)
        self._statement = statement
        self._text = str(compiled)
        self._given = {name: v for name, v in compiled.params.items() if v is not None}
        self._converters = {
            name: convert
            for bind, name in compiled.bind_names.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """What it finds, of columns that SQLite has the types of."""
        if _is_server(connection):
            return connection.execute(self._statement, values).all()
        return self._said(connection, values).fetchall()

    def changes(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """How many rows it writes."""
        if _is_server(connection):
            return connection.execute(self._statement, values).rowcount
        return self._said(connection, values).rowcount

    def _said(self, connection: Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        said = {**self._given, **values}
        for name, convert in self._converters.items():
            said[name] = convert(said[name])
        return _driver_of(connection).execute(self._text, said)


@cache
def _insert_new(table: Table, *, on_server: bool) -> sqlite.Insert | postgresql.Insert:
    return _insert(table, on_server=on_server).on_conflict_do_nothing()


def insert_new(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves what is there as it is, for the row that it is executed with.

    Made once for each table: to make it and its cache key takes longer than to execute it.
    """
    return _insert_new(table, on_server=_is_server(connection))


@cache
def _new_row(table: Table) -> Prepared:
    return Prepared(sqlite.insert(table).on_conflict_do_nothing())


def insert_new_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row with a value for every column, unless there is one; whether it was inserted."""
    if _is_server(connection):
        return connection.execute(_insert_new(table, on_server=True), row).rowcount == 1
    return _new_row(table).changes(connection, row) == 1


def upsert(connection: Connection | Engine, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that may say `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return _insert(table, on_server=_is_server(connection))


def _insert(table: Table, *, on_server: bool) -> sqlite.Insert | postgresql.Insert:
    if not on_server:
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 (with its drivers: only when chosen)

    return postgresql.insert(table)


def _is_server(connection: Connection | Engine) -> bool:
    return connection.dialect.name == "postgresql"


def _on_file(path: Path, durability: Durability) -> Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite+files:///{path}",
        connect_args={"timeout": _BUSY_TIMEOUT_S},
        execution_options={"compiled_cache": _COMPILED},
        pool_size=8,
        max_overflow=_MOST_CONNECTIONS - 8,
        pool_timeout=_BUSY_TIMEOUT_S,
        # The connection used last: what it has read and compiled is still in memory.
        pool_use_lifo=True,
    )

    # The driver's own transactions are switched off: it would begin them without the write lock.
    def connected(raw: Any, _record: object) -> None:
        raw.isolation_level = None
        # Of several that open a new file at once, SQLite refuses this to some without a wait.
        _execute_when_free(raw, "PRAGMA journal_mode = WAL", _BUSY_TIMEOUT_S)
        raw.execute(f"PRAGMA synchronous = {durability.value}")
        raw.execute("PRAGMA foreign_keys = ON")

    event.listen(engine, "connect", connected)
    return engine


def _on_server(url: SecretStr, durability: Durability) -> Engine:
    limits = dict(_SERVER_LIMITS)
    if durability is Durability.CRASH:
        limits["synchronous_commit"] = "off"
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return create_engine(
        make_url(url.get_secret_value()).set(drivername="postgresql+psycopg"),
        connect_args=_SERVER_CONNECTION | {"options": options},
        pool_size=_KEPT_ON_SERVER,
        max_overflow=_MOST_ON_SERVER - _KEPT_ON_SERVER,
        pool_timeout=_BUSY_TIMEOUT_S,
        # A server that was restarted is noticed before a statement is lost on it.
        pool_pre_ping=True,
        pool_recycle=_SERVER_RECYCLE_S,
        hide_parameters=True,
        # An insert says whether it inserted; without it, it does on SQLite only.
        execution_options={"preserve_rowcount": True},
    )


def _take_write_lock(connection: Connection, wait_s: float) -> None:
    """SQLite's BEGIN IMMEDIATE, tried again for so many seconds.

    Said to the driver itself: the three statements are part of every write, and the way there
    through SQLAlchemy takes thirty times as long as they do.
    """
    connection.begin()
    driver = _driver_of(connection)
    driver.execute(_WAIT_BRIEFLY)
    try:
        _execute_when_free(driver, "BEGIN IMMEDIATE", wait_s)
    finally:
        driver.execute(_WAIT)


def _execute_when_free(driver: sqlite3.Connection, statement: str, wait_s: float) -> None:
    """Execute it, again and again for so many seconds while another one has the lock."""
    end = time.monotonic() + wait_s
    while True:
        try:
            driver.execute(statement)
        except sqlite3.OperationalError as failure:
            if not _is_busy(failure) or time.monotonic() > end:
                raise
            time.sleep(random.uniform(0, _MOST_PAUSE_S))  # noqa: S311 - no secret
        else:
            return


def _is_busy(failure: sqlite3.OperationalError) -> bool:
    code: int = getattr(failure, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY


def _driver_of(connection: Connection) -> sqlite3.Connection:
    return connection.connection.driver_connection  # type: ignore[return-value]


def newest_revision(schema: Schema) -> str:
    """The last of a schema's migrations, by the names of their files.

    They are named after their revisions, which are counted: the branch of a schema has one end.
    """
    files = (_MIGRATIONS / "versions").glob(f"{schema.value}_[0-9][0-9][0-9][0-9]_*.py")
    return max(file.name[: len(schema.value) + 5] for file in files)


def _is_newest(engine: Engine, schema: Schema) -> bool:
    with reading(engine) as connection:
        if not inspect(connection).has_table(_VERSIONS.name):
            return False
        wanted = _VERSIONS.c.version_num == newest_revision(schema)
        return connection.execute(select(_VERSIONS).where(wanted)).first() is not None


def _migrate(engine: Engine, schema: Schema) -> None:
    if _is_newest(engine, schema):
        return
    # Imported here: it takes a fifth of the server's start, and hardly any start needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with writing(engine, _MIGRATING_TIMEOUT_S) as connection:
        if _is_server(connection):
            for limit in ("lock_timeout", "statement_timeout"):
                connection.execute(text(f"set local {limit} = '{_MIGRATING_TIMEOUT_S:.0f}s'"))
        hold(connection, _MIGRATING)
        config.attributes["connection"] = connection
        command.upgrade(config, f"{schema.value}@head")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error):
        raise _unavailable() from None


def _unavailable() -> Error:
    return Error(
        "storage_unavailable", Kind.UNAVAILABLE, "The database is not available.", retryable=True
    )

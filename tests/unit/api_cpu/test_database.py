"""Both kinds of database: migrated alike, writers take turns, failures named, no password said."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from peers import Peer
from pydantic import SecretStr
from sqlalchemy import Engine, bindparam, func, insert, inspect, select, text, update

from apps.api_cpu import db
from apps.api_cpu.db.engine import (
    Durability,
    Prepared,
    Schema,
    hold,
    insert_new_row,
    newest_revision,
    open_database,
    reading,
    upsert,
    writing,
)
from apps.api_cpu.db.tables import documents, metadata, vendor_books
from apps.api_cpu.settings import SettingsError, load_settings
from lib.errors import Error

URL = "postgresql://reader:a-secret@127.0.0.1:1/documents"


@pytest.fixture
def location(empty_location: Path | SecretStr) -> Path | SecretStr:
    """What is migrated here."""
    return empty_location


@pytest.mark.parametrize("schema", list(Schema))
def test_the_migrations_make_the_tables_that_the_code_uses(
    location: Path | SecretStr, schema: Schema
) -> None:
    engine = open_database(location, schema, Durability.CRASH)
    found = inspect(engine)
    made = set(found.get_table_names()) - {"alembic_version"}
    assert made
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _parents: kind != "table" or name in made,
                "include_object": lambda item, name, kind, _is_reflected, _other: (
                    kind in {"table", "column"} and (kind != "table" or name in made)
                ),
            },
        )
        assert compare_metadata(context, metadata) == []


def test_all_schemas_may_share_a_database_and_be_opened_again(location: Path | SecretStr) -> None:
    for schema in (*Schema, *Schema):
        engine = open_database(location, schema, Durability.POWER_LOSS)
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())


@pytest.mark.parametrize("schema", list(Schema))
def test_the_newest_migration_is_known_without_reading_them(schema: Schema) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(db.__file__).parent / "migrations"))
    heads = ScriptDirectory.from_config(config).get_heads()
    assert newest_revision(schema) in heads
    assert len(heads) == len(Schema)


def test_a_database_of_an_older_version_is_migrated(location: Path | SecretStr) -> None:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    with writing(engine) as connection:
        connection.execute(text("drop table vendor_books"))
        connection.execute(text("update alembic_version set version_num = 'vendors_0001'"))
    _revise(open_database(location, Schema.VENDORS, Durability.CRASH), 1)


def test_processes_that_start_together_migrate_once(location: Path | SecretStr) -> None:
    failures = _at_once(
        6, lambda number: open_database(location, list(Schema)[number % 3], Durability.CRASH)
    )
    assert failures == []
    engine = open_database(location, Schema.INDEX, Durability.CRASH)
    assert "extracts" in inspect(engine).get_table_names()


def test_a_decision_under_hold_is_made_by_one_at_a_time(location: Path | SecretStr) -> None:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    turns = 12
    _revise(engine, 0)

    def read_then_write(_number: int) -> None:
        with writing(engine) as connection:
            hold(connection, "the book of k")
            revision = connection.scalar(select(vendor_books.c.revision)) or 0
            connection.execute(update(vendor_books).values(revision=revision + 1))

    assert _at_once(turns, read_then_write) == []
    with reading(engine) as connection:
        assert connection.scalar(select(vendor_books.c.revision)) == turns


def test_an_upsert_replaces_or_leaves(location: Path | SecretStr) -> None:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    _revise(engine, 1)
    _revise(engine, 2)
    with writing(engine) as connection:
        row = upsert(connection, vendor_books).values(owner_key_id="k", revision=9)
        assert connection.execute(row.on_conflict_do_nothing()).rowcount == 0
    with reading(engine) as connection:
        assert connection.scalar(select(vendor_books.c.revision)) == 2


def test_a_prepared_statement_says_what_it_says_through_sqlalchemy(
    location: Path | SecretStr,
) -> None:
    engine = open_database(location, Schema.DUPLICATES, Durability.CRASH)
    add = Prepared(insert(documents))
    find = Prepared(
        select(documents.c.request_id, documents.c.created_at, documents.c.number)
        .where(documents.c.number == bindparam("number"))
        .order_by(documents.c.request_id)
        .limit(2)
    )
    row: dict[str, Any] = dict.fromkeys(column.name for column in documents.columns)
    row |= {"owner_key_id": "k", "created_at": 1.5, "sha256": "0" * 64, "number": "7\x00\ud800"}
    with writing(engine) as connection:
        for request_id in ("c", "b", "a"):
            assert add.changes(connection, row | {"request_id": request_id}) == 1
    with reading(engine) as connection:
        # What no database keeps has become U+FFFD, in what is sought as well.
        found = find.rows(connection, {"number": "7\x00\ud800"})
        assert [tuple(each) for each in found] == [
            ("a", 1.5, "7\ufffd\ufffd"),
            ("b", 1.5, "7\ufffd\ufffd"),
        ]
        assert not find.rows(connection, {"number": None})
    with pytest.raises(Error) as caught, writing(engine) as connection:
        add.changes(connection, row | {"request_id": "d"})
        add.changes(connection, row | {"request_id": "a"})
    assert caught.value.code == "storage_unavailable"
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(documents)) == 3


def test_a_row_is_inserted_unless_there_is_one(location: Path | SecretStr) -> None:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    for revision, is_new in ((1, True), (2, False)):
        with writing(engine) as connection:
            row = {"owner_key_id": "k", "revision": revision}
            assert insert_new_row(connection, vendor_books, row) is is_new
    with reading(engine) as connection:
        assert connection.scalar(select(vendor_books.c.revision)) == 1


def test_what_fails_in_a_transaction_is_not_kept(location: Path | SecretStr) -> None:
    engine = open_database(location, Schema.VENDORS, Durability.CRASH)
    _revise(engine, 1)
    with pytest.raises(KeyError), writing(engine) as connection:
        connection.execute(update(vendor_books).values(revision=5))
        raise KeyError
    with reading(engine) as connection:
        assert connection.scalar(select(vendor_books.c.revision)) == 1


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(Error) as caught:
        open_database(path, Schema.INDEX, Durability.CRASH)
    assert caught.value.code == "storage_unavailable"


def test_writers_wait_for_their_turn_on_a_file(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    engine = open_database(path, Schema.VENDORS, Durability.CRASH)
    _revise(engine, 1)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, lambda: other.execute("ROLLBACK")).start()
    _revise(engine, 2)
    with reading(engine) as connection:
        assert connection.scalar(select(vendor_books.c.revision)) == 2
    other.close()


@pytest.mark.parametrize("port", ["1", "not-listening"])
def test_no_password_is_said(port: str, caplog: pytest.LogCaptureFixture) -> None:
    location = SecretStr(URL)
    with pytest.raises(Error) as caught:
        open_database(location, Schema.INDEX, Durability.CRASH)
    failure = caught.value
    assert failure.code == "storage_unavailable"
    assert failure.retryable
    assert failure.__suppress_context__
    said = f"{failure} {failure!r} {failure.details} {location!r} {caplog.text}"
    assert "a-secret" not in said


@pytest.mark.slow
def test_a_server_that_was_restarted_is_found_again(postgres: Peer) -> None:
    engine = open_database(
        SecretStr(postgres.new_database()), Schema.VENDORS, Durability.POWER_LOSS
    )
    _revise(engine, 1)
    assert "ocr:ocr" not in repr(engine)
    postgres.kill()
    with pytest.raises(Error) as caught:
        _revise(engine, 2)
    assert caught.value.code == "storage_unavailable"
    postgres.start()
    with reading(engine) as connection:
        assert connection.scalar(select(vendor_books.c.revision)) == 1
    _revise(engine, 3)


def test_a_url_moves_what_workers_share_and_stays_secret(tmp_path: Path) -> None:
    settings = load_settings(data_root=tmp_path, jobs_db_path=URL.replace("ql:", ":"))
    shared = settings.jobs_database
    assert isinstance(shared, SecretStr)
    assert shared.get_secret_value().startswith("postgres")
    assert settings.index_database == settings.vendors_database == shared
    assert settings.auth_database == tmp_path / "auth.sqlite3"
    assert settings.database_files == (tmp_path / "auth.sqlite3",)
    assert "a-secret" not in repr(settings)
    assert "a-secret" not in settings.model_dump_json()


def test_a_file_moves_only_the_jobs(tmp_path: Path) -> None:
    settings = load_settings(data_root=tmp_path, jobs_db_path=str(tmp_path / "j.db"))
    assert settings.jobs_database == tmp_path / "j.db"
    assert settings.index_database == tmp_path / "index.sqlite3"
    assert tmp_path / "j.db" in settings.database_files


@pytest.mark.parametrize(
    "url",
    [
        "mysql://reader:a-secret@127.0.0.1/documents",
        "postgresql://reader:a-secret@127.0.0.1",
        "postgresql://reader:a-secret@127.0.0.1:port/documents",
        "sqlite:///a-secret.sqlite3",
    ],
)
def test_another_url_is_refused_without_being_said(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(jobs_db_path=url)
    assert "JOBS_DB_PATH: neither a file nor postgresql://" in str(caught.value)
    assert "a-secret" not in str(caught.value)


def _revise(engine: Engine, revision: int) -> None:
    with writing(engine) as connection:
        row = upsert(connection, vendor_books).values(owner_key_id="k", revision=revision)
        connection.execute(
            row.on_conflict_do_update(index_elements=["owner_key_id"], set_={"revision": revision})
        )


def _at_once(count: int, action: object) -> list[BaseException]:
    """Run it in as many threads, beginning together; what they raised."""
    barrier = threading.Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            action(number)  # type: ignore[operator]
        except Error as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures

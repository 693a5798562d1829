"""`ocr keys list` on a narrow terminal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apps.api_cpu.auth.command import keys_commands
from apps.api_cpu.cli import app


def test_key_ids_are_shown_whole_on_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("API_KEY_PEPPER", "a pepper for these tests only")
    monkeypatch.setattr("apps.api_cpu.console.out.width", 60)
    run = CliRunner().invoke
    key_id = run(keys_commands, ["create", "--name", "till 7"]).stdout.split("_")[1]
    listed = run(keys_commands, ["list"])
    assert listed.exit_code == 0
    assert key_id in listed.stdout


def test_hours_that_are_no_number_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("API_KEY_PEPPER", "a pepper for these tests only")
    for command in (["keys", "rotate", "0123456789ab"], ["webhooks", "secret", "--rotate"]):
        for hours in ("nan", "inf"):
            ended = CliRunner().invoke(app, [*command, "--grace-hours", hours])
            assert ended.exit_code == 2
            assert "Invalid value for '--grace-hours'" in ended.output


def test_a_database_that_cannot_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("API_KEY_PEPPER", "a pepper for these tests only")
    (tmp_path / "auth.sqlite3").mkdir()
    ended = CliRunner().invoke(app, ["keys", "list"])
    assert (ended.exit_code, ended.output.strip()) == (
        1,
        f"error: The database of keys cannot be opened: {tmp_path / 'auth.sqlite3'}",
    )


def test_a_database_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("API_KEY_PEPPER", "a pepper for these tests only")
    run = CliRunner().invoke
    assert run(app, ["keys", "create", "--name", "till \udcff"]).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "auth.sqlite3")) as database:
        database.execute("alter table api_keys rename to lost")
    for command in ("create", "list"):
        ended = run(app, ["keys", command])
        assert (ended.exit_code, ended.output.strip()) == (
            1,
            "error: The database is not available.",
        )

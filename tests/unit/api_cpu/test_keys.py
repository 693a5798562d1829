"""Keys: what is stored, what ends them, and the `ocr keys` commands."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from apps.api_cpu.auth.roles import Caller, Role, Scope
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.cli import app
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.logs import API_KEY_SHAPE, masked
from lib.errors import Error

PEPPER = "a pepper for these tests only"


class Clock:
    """A clock that is set by hand."""

    now = datetime(2026, 1, 1)  # noqa: DTZ001 stored times are naive UTC

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(location: Path | SecretStr) -> KeyStore:
    return KeyStore(open_database(location, Schema.KEYS, Durability.CRASH))


@pytest.fixture
def keys(store: KeyStore, clock: Clock) -> KeyService:
    return KeyService(store, PEPPER, clock)


def _refused(action: Callable[[], object]) -> str:
    with pytest.raises(Error) as caught:
        action()
    return caught.value.code


def test_only_an_hmac_is_stored(keys: KeyService, store: KeyStore, tmp_path: Path) -> None:
    key = keys.create("till", Role.CLIENT)
    stored = store.get(key.key_id)
    assert stored is not None
    assert stored.mac == hmac.digest(PEPPER.encode(), key.text.encode(), hashlib.sha256)
    secret = key.text.split("_", 2)[2].encode()
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())
    assert key.text not in repr(key)


def test_a_key_works_only_with_its_pepper(keys: KeyService, store: KeyStore) -> None:
    key = keys.create("till", Role.DEBUGGER)
    assert keys.authenticate(key.text) == Caller(key.key_id, Role.DEBUGGER)
    other = KeyService(store, PEPPER + "!")
    assert _refused(lambda: other.authenticate(key.text)) == "unauthorized"


def test_expiry(keys: KeyService, clock: Clock) -> None:
    key = keys.create("till", Role.CLIENT, timedelta(days=1))
    clock.now += timedelta(hours=23)
    keys.authenticate(key.text)
    clock.now += timedelta(hours=1)
    assert _refused(lambda: keys.authenticate(key.text)) == "unauthorized"


def test_revoking_is_for_good(keys: KeyService) -> None:
    key = keys.create("till", Role.CLIENT)
    keys.revoke(key.key_id)
    assert _refused(lambda: keys.authenticate(key.text)) == "unauthorized"
    assert _refused(lambda: keys.revoke(key.key_id)) == "not_found"
    assert _refused(lambda: keys.rotate(key.key_id, timedelta(0))) == "not_found"


def test_after_rotation_the_old_secret_works_for_the_grace(keys: KeyService, clock: Clock) -> None:
    old = keys.create("till", Role.CLIENT)
    new = keys.rotate(old.key_id, timedelta(hours=1))
    assert keys.authenticate(new.text) == keys.authenticate(old.text)
    clock.now += timedelta(hours=1)
    keys.authenticate(new.text)
    assert _refused(lambda: keys.authenticate(old.text)) == "unauthorized"


def test_a_second_rotation_ends_the_first_secret(keys: KeyService) -> None:
    first = keys.create("till", Role.CLIENT)
    second = keys.rotate(first.key_id, timedelta(hours=1))
    keys.rotate(first.key_id, timedelta(hours=1))
    keys.authenticate(second.text)
    assert _refused(lambda: keys.authenticate(first.text)) == "unauthorized"


def test_last_use_is_noted_once_a_minute(keys: KeyService, store: KeyStore, clock: Clock) -> None:
    key = keys.create("till", Role.CLIENT)
    first = clock.now
    noted = []
    for _ in range(5):
        keys.authenticate(key.text)
        stored = store.get(key.key_id)
        assert stored is not None
        noted.append(stored.last_used_at)
        clock.now += timedelta(seconds=29)
    later = first + timedelta(seconds=87)
    assert noted == [first, first, first, later, later]


@pytest.mark.parametrize("text", ["", "_", "ocr__", "ocr_x", "\udcff", "ocr_" + "é" * 50, "\x00"])
def test_nonsense_is_unauthorized(keys: KeyService, text: str) -> None:
    assert _refused(lambda: keys.authenticate(text)) == "unauthorized"


def test_scopes_are_required_by_name() -> None:
    caller = Caller("k", Role.CLIENT)
    caller.require(Scope.EXTRACT_RUN)
    with pytest.raises(Error) as caught:
        caller.require(Scope.DEBUG_RUN)
    assert caught.value.details == {"required_scopes": ["debug:run"]}


def test_logs_mask_a_key_wherever_it_stands(keys: KeyService) -> None:
    key = keys.create("till", Role.CLIENT)
    assert API_KEY_SHAPE.fullmatch(key.text)
    assert key.text not in masked(f"GET /?k={key.text} Authorization: Bearer {key.text}")
    assert masked("Authorization: Bearer something-else") == "Authorization: Bearer ***"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("API_KEY_PEPPER", PEPPER)

    def call(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["keys", *arguments], env={"COLUMNS": "200"})
        return result.exit_code, result.stdout

    return call


def test_the_commands_make_show_rotate_and_revoke(run: Callable[..., tuple[int, str]]) -> None:
    code, made = run("create", "--name", "till", "--role", "admin", "--expires-days", "30")
    assert code == 0
    key = made.strip().splitlines()[-1]
    assert API_KEY_SHAPE.fullmatch(key)
    key_id = key.split("_")[1]
    listed = run("list")[1]
    assert key_id in listed
    assert key not in listed
    code, rotated = run("rotate", key_id, "--grace-hours", "1")
    assert code == 0
    assert rotated.strip() != key
    assert run("revoke", key_id)[0] == 0
    assert run("revoke", key_id)[0] == 1
    assert run("rotate", key_id)[0] == 1


def test_the_commands_need_the_pepper(
    run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("API_KEY_PEPPER")
    assert run("create")[0] == 2

"""Keys of artifacts and of callers: no text leads out of the folder, none but a key opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.api_cpu.artifacts.store import (
    batch_key,
    correction_key,
    erasure_key,
    eval_key,
    extract_key,
    input_key,
    is_key,
    require_key,
    require_prefix,
    upload_key,
)
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.auth.roles import Role
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.request_context import is_request_id
from lib.errors import Error

MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
# Keys, and keys with something between their parts.
PARTS = (
    "extracts",
    "inputs",
    "2026-11-20",
    "a.json",
    "..",
    ".",
    "/",
    "//",
    "\\",
    "\x00",
    "\n",
    "%2e",
)
PATHS = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=6).map("/".join) | st.text()
OFTEN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@given(MOMENTS, IDS)
def test_every_id_has_a_key_below_its_day(moment: datetime, request_id: str) -> None:
    assert is_request_id(request_id)
    for name in (extract_key, batch_key, eval_key, correction_key, erasure_key):
        key = name(moment, request_id)
        assert require_key(key) == key
        kind, day, file = key.split("/")
        assert (day, file) == (f"{moment:%Y-%m-%d}", f"{request_id}.json")
        assert require_prefix(f"{kind}/{day}/") == f"{kind}/{day}/"


@given(MOMENTS, HASHES, st.integers(1, 99), st.sampled_from(["pdf", "jpg", "xml"]))
def test_every_input_has_a_key(moment: datetime, sha256: str, again: int, ext: str) -> None:
    keys = {
        input_key(moment, sha256, ext, again),
        input_key(moment, sha256, ext, again + 1),
        upload_key(moment, sha256, "0123456789abcdef0123456789abcdef", ext),
    }
    assert len(keys) == 3
    assert all(is_key(key) for key in keys)


@given(PATHS)
def test_a_key_names_a_file_below_the_folder_and_no_other_path(text: str) -> None:
    if is_key(text):
        folder = Path("/data")
        assert (folder / text).resolve() == folder / text
        assert (folder / text).relative_to(folder).as_posix() == text
        assert text.isprintable()
        assert len(text) < 256


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a store beside which there is something to read."""
    around = tmp_path_factory.mktemp("around")
    (around / "secret.json").write_bytes(b"secret")
    return around


@given(PATHS)
def test_no_text_reads_or_writes_beside_the_store(place: Path, text: str) -> None:
    store = LocalArtifactStore(place / "store")
    for act in (store.get, store.delete, store.stat, lambda key: store.put(key, b"written")):
        with suppress(Error):
            assert act(text) != b"secret"
    assert {path.name for path in place.iterdir()} == {"store", "secret.json"}
    assert (place / "secret.json").read_bytes() == b"secret"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyService]:
    location = tmp_path_factory.mktemp("keys") / "keys.sqlite3"
    engine = open_database(location, Schema.KEYS, Durability.CRASH)
    yield KeyService(KeyStore(engine), "a pepper of this test")
    engine.dispose()


@given(st.text() | st.from_regex(r"ocr_[0-9a-f]{12}_.*"))
def test_no_text_is_a_key_by_chance(keys: KeyService, text: str) -> None:
    with pytest.raises(Error) as refused:
        keys.authenticate(text)
    assert refused.value.code == "unauthorized"


@OFTEN
@given(st.data())
def test_a_key_with_one_other_character_is_none(keys: KeyService, data: st.DataObject) -> None:
    key = keys.create("till", Role.CLIENT)
    assert keys.authenticate(key.text).key_id == key.key_id
    place = data.draw(st.integers(0, len(key.text) - 1))
    other = data.draw(st.characters().filter(lambda c: c != key.text[place]))
    with pytest.raises(Error):
        keys.authenticate(key.text[:place] + other + key.text[place + 1 :])

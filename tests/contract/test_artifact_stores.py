"""What every artifact store must do; one suite, every implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from lib.errors import Error

KEY = "extracts/2026-11-20/receipt-1.json"
BAD_KEYS = [
    "",
    "/",
    "extracts",
    "extracts/2026-11-20",
    "extracts/2026-11-20/",
    "extracts/2026-11-20/..",
    "extracts/2026-11-20/../../x.json",
    "extracts/2026-11-20/a/b.json",
    "../extracts/2026-11-20/a.json",
    "/extracts/2026-11-20/a.json",
    "extracts/2026-1-20/a.json",
    "extracts/2026-11-20/.hidden",
    "extracts/2026-11-20/a\x00.json",
    "extracts/2026-11-20/a.json\n",
    "extracts/2026-11-20/ä.json",
    "extracts/२०२६-११-२०/a.json",
    "secrets/2026-11-20/a.json",
    "extracts\\2026-11-20\\a.json",
    "extracts/2026-11-20/" + "x" * 200,
]

MakeStore = Callable[..., ArtifactStore]


@pytest.fixture(params=["local"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Opens the store again and again on the same place."""
    stores = {"local": lambda **options: LocalArtifactStore(tmp_path / "artifacts", **options)}
    make: MakeStore = stores[request.param]
    return make


def _code(action: Callable[[], object]) -> str:
    with pytest.raises(Error) as caught:
        action()
    return caught.value.code


def test_what_was_put_is_found_also_by_another_store(make_store: MakeStore) -> None:
    data = bytes(range(256)) * 500
    make_store().put(KEY, data)
    other = make_store()
    assert other.get(KEY) == data
    assert other.exists(KEY)


def test_a_key_never_written_is_not_found(make_store: MakeStore) -> None:
    store = make_store()
    assert _code(lambda: store.get(KEY)) == "not_found"
    assert not store.exists(KEY)


def test_nothing_is_overwritten(make_store: MakeStore) -> None:
    store = make_store()
    store.put(KEY, b"first")
    assert _code(lambda: store.put(KEY, b"second")) == "conflict"
    assert store.get(KEY) == b"first"


def test_overwriting_can_be_allowed(make_store: MakeStore) -> None:
    store = make_store(allow_overwrite=True)
    store.put(KEY, b"first")
    store.put(KEY, b"second")
    assert store.get(KEY) == b"second"


def test_of_many_writers_one_wins(make_store: MakeStore) -> None:
    count = 8
    stores = [make_store() for _ in range(count)]
    barrier = threading.Barrier(count)
    won: list[bytes] = []

    def write(number: int) -> None:
        data = str(number).encode() * 10_000
        barrier.wait()
        try:
            stores[number].put(KEY, data)
        except Error as error:
            assert error.code == "conflict"
        else:
            won.append(data)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert make_store().get(KEY) == won[0]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_only_keys_of_our_form_exist(make_store: MakeStore, key: str) -> None:
    store = make_store()
    assert _code(lambda: store.get(key)) == "not_found"
    assert _code(lambda: store.put(key, b"x")) == "not_found"
    assert _code(lambda: store.exists(key)) == "not_found"


def test_a_working_store_passes_its_probe(make_store: MakeStore) -> None:
    make_store().probe()


def test_a_full_or_lost_local_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    store = LocalArtifactStore(folder)
    (folder / ".incoming").rmdir()
    folder.rmdir()
    folder.write_text("not a folder")
    assert _code(store.probe) == "storage_unavailable"
    assert _code(lambda: store.put(KEY, b"x")) == "storage_unavailable"


def test_a_local_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalArtifactStore(tmp_path / "artifacts")

    def no_space(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    assert _code(lambda: store.put(KEY, b"x")) == "storage_unavailable"
    monkeypatch.undo()
    assert not store.exists(KEY)
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []

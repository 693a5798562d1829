"""What every artifact store must do; one suite, every implementation."""

from __future__ import annotations

import hashlib
import io
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from s3_places import S3_PLACES, Places

from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.artifacts.stores.spool import Limits, Spool
from apps.api_cpu.artifacts.stores.spooling import SpoolingStore
from lib.errors import Error

pytest_plugins = ["s3_places"]

KEY = "extracts/2026-11-20/receipt-1.json"
INPUT = f"inputs/2026-11-20/{'5e88489d' * 8}.pdf"
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


@pytest.fixture(
    params=["local", *S3_PLACES, pytest.param("spooling-moto-http", marks=pytest.mark.slow)]
)
def make_store(
    request: pytest.FixtureRequest, tmp_path: Path, s3_places: Places
) -> Iterator[MakeStore]:
    """Opens the store again and again on the same place."""
    if request.param == "local":
        yield lambda **options: LocalArtifactStore(tmp_path / "artifacts", **options)
        return
    first, which, over = request.param.split("-")
    place, close = s3_places.open(which, over)

    def spooling(**options: Any) -> ArtifactStore:
        spool = Spool(tmp_path / "spool", Limits(100_000_000, 100), **options)
        return SpoolingStore(place.store(**options), spool)

    yield spooling if first == "spooling" else place.store
    close()


def _turn(number: int) -> str:
    return f"extracts/2026-11-20/race-{number}.json"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _code(action: Callable[[], object]) -> str | None:
    """The code of the error that it raises; None when it does not."""
    try:
        action()
    except Error as error:
        return error.code
    return None


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


def test_the_same_bytes_again_are_no_conflict(make_store: MakeStore) -> None:
    make_store().put(KEY, b"first")
    make_store().put(KEY, b"first")
    assert make_store().get(KEY) == b"first"


@pytest.mark.slow
@pytest.mark.timeout(900)  # 4,000 requests, on a busy machine too
def test_two_writers_race_and_the_loser_knows(
    make_store: MakeStore, request: pytest.FixtureRequest
) -> None:
    stores = make_store(), make_store()
    name = request.node.name
    rounds = 1000 if "[local]" in name or "s3-peer-http" in name else 100
    barrier = threading.Barrier(2)
    won: list[list[int]] = [[] for _ in range(rounds)]
    lost: list[list[int]] = [[] for _ in range(rounds)]

    def write(number: int) -> None:
        for turn in range(rounds):
            barrier.wait()
            try:
                stores[number].put(_turn(turn), b"%d of %d" % (number, turn))
            except Error as error:
                assert error.code == "conflict"
                lost[turn].append(number)
            else:
                won[turn].append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(winners) for winners in won] == [len(losers) for losers in lost] == [1] * rounds
    reader = make_store()
    for turn, (winner,) in enumerate(won):
        assert reader.get(_turn(turn)) == b"%d of %d" % (winner, turn)


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


@pytest.mark.parametrize("as_path", [True, False])
def test_a_large_input_is_kept_and_read_as_a_file(
    make_store: MakeStore, tmp_path: Path, as_path: bool
) -> None:
    data = b"0123456789abcdef" * 160_001
    sha256 = hashlib.sha256(data).hexdigest()
    path = tmp_path / "upload"
    path.write_bytes(data)
    if as_path:
        make_store().put_file(INPUT, path, sha256, len(data))
    else:
        with path.open("rb") as file:
            file.seek(17)
            make_store().put_file(INPUT, file, sha256, len(data))
            assert not file.closed
    with make_store().open(INPUT) as file:
        assert file.read(3) == data[:3]
        file.seek(0)
        assert file.read() == data
    stored = make_store().stat(INPUT)
    assert (stored.key, stored.size) == (INPUT, len(data))
    assert stored.sha256 in {None, sha256}
    assert _code(lambda: make_store().put_file(INPUT, io.BytesIO(b"x"), _sha(b"x"), 1)) == (
        "conflict"
    )


@pytest.mark.parametrize(("sha256", "size"), [("0" * 64, 4), (None, 3), (None, 5)])
def test_a_file_that_is_not_what_was_said_is_not_kept(
    make_store: MakeStore, sha256: str | None, size: int
) -> None:
    store = make_store()
    with pytest.raises(ValueError, match="hash"):
        store.put_file(INPUT, io.BytesIO(b"data"), sha256 or _sha(b"data"), size)
    assert not store.exists(INPUT)


def test_what_is_deleted_is_gone_and_may_be_deleted_again(make_store: MakeStore) -> None:
    store = make_store()
    store.put(KEY, b"first")
    store.delete(KEY)
    store.delete(KEY)
    assert not store.exists(KEY)
    assert _code(lambda: store.get(KEY)) == "not_found"
    store.put(KEY, b"second")
    assert store.get(KEY) == b"second"


def test_what_was_never_written_has_no_size_and_no_content(make_store: MakeStore) -> None:
    store = make_store()
    assert _code(lambda: store.stat(KEY)) == "not_found"
    with pytest.raises(Error, match="not_found"), store.open(KEY):
        pass


def test_a_listing_has_each_key_of_a_kind_or_a_day(make_store: MakeStore) -> None:
    store = make_store()
    days = ("2026-11-20", "2026-11-21")
    for day in days:
        for number in range(3):
            store.put(f"extracts/{day}/{number}.json", b"x" * number)
    store.put("batches/2026-11-20/run.json", b"x")
    listed = list(store.list("extracts/"))
    assert [entry.key for entry in listed] == [
        f"extracts/{day}/{number}.json" for day in days for number in range(3)
    ]
    assert [entry.size for entry in listed] == [0, 1, 2, 0, 1, 2]
    assert [entry.key for entry in store.list("extracts/2026-11-21/")] == [
        f"extracts/2026-11-21/{number}.json" for number in range(3)
    ]
    assert list(store.list("evals/")) == []
    for prefix in ("", "extracts", "../", "extracts/2026-11-21", "secrets/"):
        with pytest.raises(Error, match="not_found"):
            list(store.list(prefix))


def test_only_keys_of_our_form_exist(make_store: MakeStore) -> None:
    store = make_store()
    asked: tuple[Callable[[str], object], ...] = (
        store.get,
        lambda key: store.put(key, b"x"),
        store.exists,
        store.stat,
        store.open,
        store.delete,
        lambda key: store.put_file(key, io.BytesIO(b"x"), _sha(b"x"), 1),
        lambda key: store.presign_get(key, 60),
        lambda key: store.presign_put(key, _sha(b"x"), 1, 60),
    )
    for key in BAD_KEYS:
        codes = [_code(partial(ask, key)) for ask in asked]
        assert codes == ["not_found"] * len(asked), key


def test_a_working_store_passes_its_probe(make_store: MakeStore) -> None:
    make_store().probe()
    make_store().require_room(1024)


def test_a_full_or_lost_local_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    store = LocalArtifactStore(folder)
    (folder / ".incoming").rmdir()
    folder.rmdir()
    folder.write_text("not a folder")
    assert _code(store.probe) == "storage_unavailable"
    assert _code(store.require_room) == "storage_unavailable"
    assert _code(lambda: store.put(KEY, b"x")) == "storage_unavailable"


def test_no_room_is_said_before_the_work(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path / "artifacts")
    # What is free changes all the time.
    total = shutil.disk_usage(tmp_path).total
    assert _code(lambda: store.require_room(total)) == "storage_unavailable"
    (tmp_path / "artifacts" / ".incoming").rmdir()
    (tmp_path / "artifacts" / ".incoming").write_text("in the way")
    assert _code(store.require_room) == "storage_unavailable"


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

"""Stored inputs under races and crashes: a reference that was given out has its object."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.batches.receiving import UploadReceiver
from apps.api_cpu.batches.upload import UploadLimits
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.store import InputIndex

DAY = datetime(2026, 11, 20, tzinfo=UTC)
CONTENT = Content.of_bytes(b"%PDF-1.7 the same bytes for everybody")
ANN = Caller("ann", Role.CLIENT)
_SPAWN = multiprocessing.get_context("spawn")


class Interrupted(LocalArtifactStore):
    """A store where something happens in the middle of a write or a delete."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.before_put: Callable[[], None] = lambda: None
        self.before_delete: Callable[[], None] = lambda: None

    def put(self, key: str, data: bytes) -> None:
        happens, self.before_put = self.before_put, lambda: None
        happens()
        super().put(key, data)

    def delete(self, key: str) -> None:
        happens, self.before_delete = self.before_delete, lambda: None
        happens()
        super().delete(key)


def _inputs(
    location: Path | SecretStr, store: LocalArtifactStore, grace_s: float = -1.0
) -> InputStore:
    """With a negative grace whatever is not held goes at the next sweep."""
    engine = open_database(location, Schema.INDEX, Durability.CRASH)
    return InputStore(store, InputIndex(engine), grace_s=grace_s)


def test_a_writer_that_comes_while_the_object_is_being_deleted_keeps_its_own(
    tmp_path: Path, location: Path | SecretStr
) -> None:
    store = Interrupted(tmp_path / "artifacts")
    inputs = _inputs(location, store)
    first = inputs.hold(CONTENT, "ann", DAY, "job-1")
    inputs.release("job-1")
    came: list[str] = []
    store.before_delete = lambda: came.append(inputs.hold(CONTENT, "ann", DAY, "job-2"))
    assert inputs.sweep() == 1
    assert came == [first.replace(".pdf", ".2.pdf")]
    assert inputs.read(came[0], ANN) == CONTENT.source
    assert not store.exists(first)


def test_a_writer_that_is_slower_than_the_grace_begins_again(
    tmp_path: Path, location: Path | SecretStr
) -> None:
    store = Interrupted(tmp_path / "artifacts")
    inputs = _inputs(location, store)
    swept: list[int] = []
    store.before_put = lambda: swept.append(inputs.sweep())
    ref = inputs.hold(CONTENT, "ann", DAY, "job-1")
    assert swept == [1], "its row was marked between its hold and its object"
    assert ref.endswith(".2.pdf")
    assert inputs.read(ref, ANN) == CONTENT.source


def test_what_goes_while_leftovers_are_looked_for_stops_no_start(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    (folder / ".incoming").mkdir(parents=True)
    received = tmp_path / "received"
    received.mkdir()
    for place in (folder / ".incoming", received):
        (place / "gone").symlink_to(tmp_path / "renamed")  # listed, and not there when looked at
        (place / "left").touch()
        os.utime(place / "left", (0, 0))
    inputs = _inputs(tmp_path / "index.sqlite3", LocalArtifactStore(folder))
    UploadReceiver(received, UploadLimits(1, 1, 1, 1, 1.0), inputs, 1.0)
    assert [path.name for path in received.iterdir()] == ["gone"]
    assert [path.name for path in (folder / ".incoming").iterdir()] == ["gone"]


def test_a_delete_that_was_announced_and_lost_is_made_up_for(
    tmp_path: Path, location: Path | SecretStr
) -> None:
    store = Interrupted(tmp_path / "artifacts")
    inputs = _inputs(location, store)
    ref = inputs.hold(CONTENT, "ann", DAY, "job-1")
    inputs.release("job-1")

    def die() -> None:
        raise KeyboardInterrupt

    store.before_delete = die
    with pytest.raises(KeyboardInterrupt):
        inputs.sweep()
    assert store.exists(ref)
    assert inputs.sweep() == 1
    assert not store.exists(ref)


def test_threads_that_write_read_release_and_sweep_never_miss_an_object(
    tmp_path: Path, location: Path | SecretStr
) -> None:
    inputs = _inputs(location, LocalArtifactStore(tmp_path / "artifacts"))
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(_use, inputs, str(n), 40) for n in range(4)]:
            done.result()


def _use(inputs: InputStore, name: str, rounds: int) -> None:
    for number in range(rounds):
        holder = f"job-{name}-{number}"
        ref = inputs.hold(CONTENT, "ann", DAY, holder)
        inputs.sweep()
        assert inputs.read(ref, ANN) == CONTENT.source
        inputs.release(holder)


def _use_in_a_process(folder: Path, location: Path | SecretStr, name: str) -> None:
    _use(_inputs(location, LocalArtifactStore(folder / "artifacts")), name, 25)


def _die_before_the_object(folder: Path, location: Path | SecretStr) -> None:
    store = Interrupted(folder / "artifacts")
    store.before_put = lambda: os.kill(os.getpid(), signal.SIGKILL)
    _inputs(location, store).hold(CONTENT, "ann", DAY, "job-1")


@pytest.mark.slow
def test_processes_that_write_read_release_and_sweep_never_miss_an_object(
    tmp_path: Path, location: Path | SecretStr
) -> None:
    _inputs(location, LocalArtifactStore(tmp_path / "artifacts"))
    processes = [
        _SPAWN.Process(target=_use_in_a_process, args=(tmp_path, location, str(n)))
        for n in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0, 0]


@pytest.mark.slow
def test_a_process_that_dies_between_reference_and_object_leaves_nothing(
    tmp_path: Path, location: Path | SecretStr
) -> None:
    process = _SPAWN.Process(target=_die_before_the_object, args=(tmp_path, location))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    store = LocalArtifactStore(tmp_path / "artifacts")
    patient = _inputs(location, store, grace_s=3600.0)
    assert patient.sweep() == 0, "it might still be writing"
    inputs = _inputs(location, store)
    assert inputs.sweep() == 1
    ref = inputs.hold(CONTENT, "ann", DAY, "job-2")
    assert inputs.read(ref, ANN) == CONTENT.source
    assert inputs.holders() == ["job-2"]

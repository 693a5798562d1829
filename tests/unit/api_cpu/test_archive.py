"""The index made again from the store, retention, and erasures that are interrupted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from apps.api_cpu.archive.build import Archive, build_archive
from apps.api_cpu.archive.indexes import Indexes
from apps.api_cpu.archive.reindex import Reindexed
from apps.api_cpu.archive.retention import Retention
from apps.api_cpu.archive.store import Erasure, ErasureIndex
from apps.api_cpu.artifacts.index import ArtifactFilter, ArtifactIndex, ArtifactKind
from apps.api_cpu.artifacts.indexed import IndexedStore
from apps.api_cpu.artifacts.service import ArtifactService
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.corrections.service import CorrectionService
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.debug.service import DebugService
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.inputs.service import KEPT, InputStore
from apps.api_cpu.inputs.store import InputIndex
from apps.api_cpu.result_cache.service import CacheLimits, ResultCache
from apps.api_cpu.result_cache.store import CachedAnswerIndex
from apps.api_cpu.runs.store import RunIndex
from apps.api_cpu.settings import CONFIGS
from apps.api_cpu.vendors.service import VendorService
from apps.api_cpu.vendors.store import VendorStore
from apps.api_cpu.wire import dump
from lib.errors import Error, Kind
from lib.pipelines.tasks import load_tasks

ANN = Caller("ann", Role.CLIENT)
TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
PDF = b"%PDF-1.7 a document"


class Unreliable(LocalArtifactStore):
    """A store that fails at its n-th delete from now, and has something happen before a write."""

    deletes_left: int | None = None
    before_correction: Callable[[], object] = staticmethod(lambda: None)
    after_correction: Callable[[], object] = staticmethod(lambda: None)

    def put(self, key: str, data: bytes) -> None:
        if key.startswith("corrections/"):
            self.before_correction()
        super().put(key, data)
        if key.startswith("corrections/"):
            self.after_correction()

    def delete(self, key: str) -> None:
        if self.deletes_left == 0:
            raise Error(
                "storage_unavailable", Kind.UNAVAILABLE, "The artifact store is not available."
            )
        if self.deletes_left is not None:
            self.deletes_left -= 1
        super().delete(key)


class Place:
    """A store with its indexes, on a database that may be lost."""

    def __init__(self, folder: Path, location: Path | SecretStr) -> None:
        self.engine = engine = open_database(location, Schema.INDEX, Durability.CRASH)
        vendors = open_database(folder / "vendors.sqlite3", Schema.VENDORS, Durability.CRASH)
        self.indexes = Indexes(
            ArtifactIndex(engine),
            ExtractIndex(engine, 60.0),
            CorrectionIndex(engine),
            RunIndex(engine),
            ErasureIndex(engine),
        )
        self.raw = Unreliable(folder / "artifacts")
        self.store = IndexedStore(self.raw, self.indexes.artifacts)
        self.inputs = InputStore(self.store, InputIndex(engine), grace_s=-1.0)
        self.vendors = VendorService(VendorStore(vendors))
        self.archive = self.keeping({})

    def keeping(self, days: dict[str, int]) -> Archive:
        archive = build_archive(self.store, self.indexes, self.inputs, self.vendors, days)
        retention = Retention(days, self.store, self.indexes, self.inputs, lambda: TODAY)
        return Archive(archive.erasures, retention, archive.reindexer)

    def extract(self, request_id: str, day: str = "2026-11-20", **more: Any) -> str:
        rel = f"extracts/{day}/{request_id}.json"
        content = {
            "request_id": request_id,
            "owner_key_id": "ann",
            "created_at": f"{day}T09:30:00.000Z",
            "status": 200,
            "response": {"result": {"total": 1}},
            **more,
        }
        self.indexes.extracts.reserve(request_id, "ann", rel, self.store.exists)
        self.store.put(rel, dump(content))
        return rel

    def run(self, run_id: str, *request_ids: str, day: str = "2026-11-20") -> str:
        rel = f"batches/{day}/{run_id}.json"
        items = [
            {"request_id": each, "file": "a", "ok": True, "result": {"vendor_name": each}}
            for each in request_ids
        ]
        counts = {"item_count": len(items), "ok_count": len(items)}
        content = {
            "run_id": run_id,
            "owner_key_id": "ann",
            "created_at": f"{day}T09:30:00.000Z",
            "task_id": "auto",
            **counts,
            "failed_count": 0,
            "needs_review_count": 0,
            "items": items,
        }
        self.store.put(rel, dump(content))
        return rel

    def listed(self) -> list[str]:
        found = self.indexes.artifacts.page(ArtifactFilter(), None, 1000)
        return sorted(entry.artifact_rel for entry in found)


@pytest.fixture
def place(tmp_path: Path, location: Path | SecretStr) -> Place:
    return Place(tmp_path, location)


def _ignore(_: Reindexed) -> None:
    return None


def test_a_lost_index_is_made_again(place: Place, tmp_path: Path) -> None:
    ref = place.inputs.hold(Content.of_bytes(PDF), "ann", TODAY, KEPT)
    kept = {"input": {"sha256": "0" * 64, "input_ref": ref}}
    place.extract("a", **kept)
    place.extract("b", "2026-11-18", status=422, error={"code": "empty_document"})
    place.extract("gone")
    place.archive.erasures.erase("gone", ANN)
    place.run("march", "a", "b")
    correction = {"correction_id": "c-1", "request_id": "a", "owner_key_id": "ann", "fields": {}}
    place.store.put("corrections/2026-11-20/c-1.json", dump(correction))
    before = place.listed()
    again = Place(tmp_path, tmp_path / "new.sqlite3")
    assert again.listed() == []
    found = again.archive.reindexer.run(None, _ignore)
    assert (found.seen, found.noted, found.gone, found.unreadable) == (5, 5, 0, 0)
    assert again.listed() == before
    for request_id in ("a", "b"):
        assert again.indexes.extracts.find(request_id) is not None
    erased = again.indexes.extracts.find("gone")
    assert erased is not None
    assert erased.erased_at is not None
    assert again.indexes.corrections.of("a") == ["corrections/2026-11-20/c-1.json"]
    run = again.indexes.runs.find("march")
    assert run is not None
    assert run.counts is not None
    assert again.inputs.read(ref, ANN) == PDF
    assert again.indexes.artifacts.about("b", "ann")[0].error_code == "empty_document"


def test_reindexing_goes_on_where_it_was_ended_and_forgets_what_is_gone(place: Place) -> None:
    rels = [place.extract(f"r-{n}") for n in range(3)]
    place.raw.put("extracts/2026-11-19/odd.json", b"not JSON")
    place.raw.delete(rels[0])
    place.indexes.artifacts.forget(rels[1])
    found = place.archive.reindexer.run(None, _ignore)
    assert (found.seen, found.noted, found.gone, found.unreadable) == (3, 1, 1, 1)
    assert place.listed() == rels[1:]
    again = place.archive.reindexer.run("2026-11-20", _ignore)
    assert (again.seen, again.noted, again.gone) == (2, 0, 0)


def test_what_is_too_old_goes_and_its_ids_are_free(place: Place) -> None:
    old, young = place.extract("old", "2026-11-17"), place.extract("young", "2026-11-18")
    run = place.run("march", "old", day="2026-01-01")
    archive = place.keeping({"extracts": 2})
    assert archive.retention.count(ArtifactKind.EXTRACTS) == 1
    assert archive.retention.purge() == 1
    assert archive.retention.purge() == 0
    assert not place.store.exists(old)
    assert place.listed() == [run, young]
    assert place.indexes.extracts.find("old") is None
    assert place.keeping({"batches": 30}).retention.purge() == 1
    assert place.listed() == [young]


def test_old_inputs_go_unless_a_job_reads_them(place: Place) -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    ref = place.inputs.hold(Content.of_bytes(PDF), "ann", day, KEPT)
    place.inputs.hold_stored(ref, ANN, "job-1")
    archive = place.keeping({"inputs": 7})
    assert archive.retention.purge() == 1
    place.inputs.sweep()
    assert place.inputs.read(ref, ANN) == PDF
    place.inputs.release("job-1")
    assert place.inputs.sweep() == 1
    assert not place.store.exists(ref)
    assert archive.retention.purge() == 0


@pytest.mark.parametrize("deletes", range(4))
def test_an_erasure_that_is_interrupted_is_completed_later(place: Place, deletes: int) -> None:
    ref = place.inputs.hold(Content.of_bytes(PDF), "ann", TODAY, KEPT)
    rel = place.extract("a", input={"sha256": "0" * 64, "input_ref": ref})
    place.extract("b")
    run = place.run("march", "a", "b")
    place.raw.deletes_left = deletes
    if deletes < 3:
        with pytest.raises(Error):
            place.archive.erasures.erase("a", ANN)
    else:
        place.archive.erasures.erase("a", ANN)
    found = place.indexes.extracts.find("a")
    assert found is not None
    assert found.erased_at is not None, "it is gone for readers from the beginning"
    place.raw.deletes_left = None
    while place.archive.erasures.go_on():
        pass
    for key in (rel, ref, run):
        assert not place.store.exists(key)
    revised = [key for key in place.listed() if key.startswith("batches/")]
    assert len(revised) == 1
    assert b'"vendor_name":"b"' in place.store.get(revised[0])
    assert b'"vendor_name":"a"' not in place.store.get(revised[0])
    assert place.archive.erasures.go_on() == 0


def test_a_run_that_is_written_after_the_erasure_is_redacted_too(place: Place) -> None:
    place.extract("a")
    place.archive.erasures.erase("a", ANN)
    place.run("march", "a", "b")
    assert place.archive.erasures.go_on() == 1
    left = place.store.get(place.listed()[0])
    assert b'"vendor_name":"a"' not in left


def test_what_cannot_be_erased_now_holds_up_nothing_else(place: Place) -> None:
    for name in ("bad", "good", "other"):
        place.extract(name)
    damaged = place.run("april", "bad", "other")
    place.run("march", "good")
    (place.raw._folder / damaged).write_text("cut o")
    for name in ("bad", "good"):
        place.indexes.erasures.begin(
            Erasure(name, "ann", f"extracts/2026-11-20/{name}.json", "ann", 1.0)
        )
    with pytest.raises(Error, match="storage_unavailable"):
        place.archive.erasures.go_on()
    assert [each.request_id for each in place.indexes.erasures.unfinished(9)] == ["bad"]
    assert not place.store.exists("extracts/2026-11-20/good.json")
    place.extract("late")
    place.run("may", "late")
    place.archive.erasures.erase("late", ANN)


def _corrections(place: Place) -> CorrectionService:
    """With an extraction `a` that may be corrected."""
    response = {"task_id": "receipt_fields_v1", "result": {}, "fields": {}}
    place.extract("a", response=response, input={"sha256": "0" * 64})
    cached = CachedAnswerIndex(place.engine)
    return CorrectionService(
        place.store,
        place.indexes.extracts,
        place.indexes.corrections,
        load_tasks(CONFIGS / "tasks"),
        place.vendors,
        ResultCache(cached, place.store, CacheLimits(0.0, 1), "", lambda: ""),
    )


def _killed() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["before_correction", "after_correction"])
def test_an_erasure_finds_a_correction_whose_writer_was_killed(place: Place, moment: str) -> None:
    corrections = _corrections(place)
    corrections.add("a", {"vendor_name": "Corner Shop"}, None, ANN)
    setattr(place.raw, moment, _killed)
    with pytest.raises(KeyboardInterrupt):
        corrections.add("a", {"vendor_name": "Coroner Shop"}, None, ANN)
    setattr(place.raw, moment, lambda: None)
    fields = corrections.corrected_fields("a", ANN)
    written = "Corner Shop" if moment == "before_correction" else "Coroner Shop"
    assert fields == {"vendor_name": written}
    assert len(corrections.all("a", ANN)["corrections"]) == 1 + (moment == "after_correction")
    place.archive.erasures.erase("a", ANN)
    kept = [path for path in place.raw._folder.rglob("*.json") if "erasures" not in path.parts]
    assert kept == []


def test_a_correction_that_cannot_be_written_is_not_noted(place: Place) -> None:
    corrections = _corrections(place)

    def fail() -> None:
        raise Error("storage_unavailable", Kind.UNAVAILABLE, "The artifact store is not available.")

    place.raw.before_correction = fail
    with pytest.raises(Error, match="storage_unavailable"):
        corrections.add("a", {"vendor_name": "Corner Shop"}, None, ANN)
    assert place.indexes.corrections.of("a") == []


def test_a_correction_that_is_written_during_the_erasure_goes_too(place: Place) -> None:
    corrections = _corrections(place)
    place.raw.before_correction = lambda: place.archive.erasures.erase("a", ANN)
    with pytest.raises(Error, match="erased"):
        corrections.add("a", {"vendor_name": "Corner Shop"}, None, ANN)
    assert [rel.split("/")[0] for rel in place.listed()] == ["erasures"]
    assert place.indexes.corrections.of("a") == []
    assert place.vendors.all("ann") == []


def test_whatever_a_refused_request_named_its_artifact_is_in_the_index(place: Place) -> None:
    for number, ref in enumerate(("inputs/2026-11-20/a\x00b.pdf", "x" * 300)):
        rel = place.extract(f"odd-{number}", status=404, input={"image_ref": ref})
        place.indexes.artifacts.forget(rel)
        assert place.archive.reindexer.run(None, _ignore).noted == 1
        assert rel in place.listed()


def test_what_no_database_can_hold_is_looked_for_and_not_found(place: Place) -> None:
    for name in ("\x00", "a\x00b", "\ud800"):
        assert place.indexes.extracts.find(name) is None
        assert place.indexes.runs.find(name) is None
        assert place.indexes.artifacts.all_about(name) == []


def test_a_backup_that_is_full_says_how_to_go_on(place: Place) -> None:
    rels = [place.extract(f"r-{n}") for n in range(4)]
    service = DebugService(
        place.indexes.artifacts,
        place.store,
        ArtifactService(place.store),
        most_artifacts=3,
    )
    parts = list(service.backup(ArtifactFilter(), None))
    assert len(parts) == 4, "one artifact at a time, then the manifest"
    rest = b"".join(service.backup(ArtifactFilter(), rels[2]))
    assert len(rest) > 0
    assert len(list(service.backup(ArtifactFilter(), rels[2]))) == 2

"""The right to erase: everything that an extraction left behind goes; a tombstone stays.

What goes: the extraction's artifact, the input (unless another extraction of the same owner or
another owner needs it), its corrections, the vendors that only it speaks for, and its results in
the artifacts of runs and evaluations. Those are written again without it under a new key, and then
the old one is deleted: nothing is ever overwritten, and a crash in between loses nothing.

The tombstone comes first. From then on the id is gone for every reader and is never used again,
and whatever was interrupted, or is written later by work that was on its way, is found by the
background duties: `unfinished` tombstones, and artifacts that still repeat an erased id.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from apps.api_cpu.archive.indexes import Indexes
from apps.api_cpu.archive.store import Erasure
from apps.api_cpu.artifacts.index import ArtifactKind
from apps.api_cpu.artifacts.reading import load_artifact_if_any
from apps.api_cpu.artifacts.store import ArtifactStore, erasure_key
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import not_found
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.vendors.service import VendorService
from apps.api_cpu.wire import dump, timestamp
from lib.errors import Error

Eraser = Callable[[str], object]
"""Erases what one more place holds of a request id; safe to call again."""

_BATCH = 20
_ABOUT_ONE = (ArtifactKind.EXTRACTS, ArtifactKind.CORRECTIONS)
_REVISION_DIGITS = 12
_REVISION = re.compile(rf"(\.r[0-9a-f]{{{_REVISION_DIGITS}}})?\.json\Z")
_KEPT_OF_AN_ITEM = frozenset({"id", "request_id", "timings_ms", "ms", "page_count"})


class ErasureService:
    """Erases extractions. Safe to share between threads and processes."""

    def __init__(
        self,
        store: ArtifactStore,
        indexes: Indexes,
        inputs: InputStore,
        vendors: VendorService,
        others: Sequence[Eraser] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`others`: what else holds answers, such as a cache of page images or the jobs' table."""
        self._store = store
        self._index = indexes.erasures
        self._artifacts = indexes.artifacts
        self._extracts = indexes.extracts
        self._corrections = indexes.corrections
        self._inputs = inputs
        self._vendors = vendors
        self._others = others
        self._clock = clock

    def erase(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """The tombstone; nothing else is left. Erasing again answers the same.

        Raises `not_found`: unknown, somebody else's, or still being read; `storage_unavailable`,
        after which the rest is erased in the background.
        """
        entry = self._extracts.find(request_id)
        if entry is None or not caller.may_see(entry.owner_key_id):
            raise not_found()
        erasure = self._index.find(request_id)
        if erasure is None:
            if not self._store.exists(entry.artifact_rel):
                raise not_found()
            erasure = self._index.begin(
                Erasure(
                    request_id,
                    entry.owner_key_id,
                    entry.artifact_rel,
                    caller.key_id,
                    self._clock(),
                )
            )
        if erasure.done_at is None:
            self._complete(erasure)
        return _view(erasure)

    def go_on(self) -> int:
        """One batch of what was interrupted or came back; how many were completed.

        What cannot be completed now holds up nothing else. Raises `storage_unavailable` then.
        """
        done, failures = 0, []
        for duty in self._duties():
            try:
                duty()
            except Error as failure:
                failures.append(failure)
            done += 1
        if failures:
            raise failures[0]
        return done

    def _duties(self) -> Iterator[Callable[[], None]]:
        for erasure in self._index.unfinished(_BATCH):
            yield partial(self._complete, erasure)
        for rel in self._index.still_repeated(_BATCH):
            yield partial(self._redact, rel)

    def _complete(self, erasure: Erasure) -> None:
        moment = datetime.fromtimestamp(erasure.erased_at, UTC)
        tombstone = {
            **_view(erasure),
            "created_at": timestamp(moment),
            "owner_key_id": erasure.owner_key_id,
            "artifact_rel": erasure.artifact_rel,
        }
        self._put_once(erasure_key(moment, erasure.request_id), tombstone)
        artifact = self._read(erasure.artifact_rel)
        self._forget_corrections(erasure)
        if artifact is not None:
            self._forget_document(erasure, artifact)
        for erase in self._others:
            erase(erasure.request_id)
        while rels := self._index.still_repeated(_BATCH, erasure.request_id):
            for rel in rels:
                self._redact(rel)
        for entry in self._artifacts.about(erasure.request_id, erasure.owner_key_id):
            if entry.kind in _ABOUT_ONE and entry.artifact_rel != erasure.artifact_rel:
                self._store.delete(entry.artifact_rel)
        # The last, since it says what else there was.
        self._store.delete(erasure.artifact_rel)
        self._index.done(erasure.request_id, self._clock())

    def _forget_document(self, erasure: Erasure, artifact: Mapping[str, Any]) -> None:
        noted = artifact.get("input") or {}
        owner = erasure.owner_key_id
        sha256, ref = noted.get("sha256"), noted.get("input_ref") or noted.get("image_ref")
        if sha256 is not None and not self._artifacts.is_read_from(owner, sha256=sha256):
            self._vendors.forget_document(owner, sha256)
            self._inputs.erase_unheld(sha256)
        if ref is not None and not self._artifacts.is_read_from(owner, input_ref=ref):
            self._inputs.erase(ref, owner)

    def _forget_corrections(self, erasure: Erasure) -> None:
        for key in self._corrections.of(erasure.request_id):
            correction = self._read(key)
            if correction is not None:
                self._vendors.unconfirm(erasure.owner_key_id, correction["fields"])
            self._store.delete(key)
        self._corrections.forget(erasure.request_id)

    def _redact(self, rel: str) -> None:
        """Write an artifact again without what was erased, then delete it."""
        erased = self._index.erased_among(rel)
        artifact = self._read(rel)
        if artifact is not None:
            artifact["items"] = [
                redacted(item) if item.get("request_id") in erased else item
                for item in artifact["items"]
            ]
            # Named by its content: whoever redacts the same, again or beside us, writes the same.
            revision = hashlib.sha256(dump(artifact)).hexdigest()[:_REVISION_DIGITS]
            self._put_once(f"{_REVISION.sub('', rel)}.r{revision}.json", artifact)
        self._store.delete(rel)

    def _put_once(self, key: str, content: Mapping[str, Any]) -> None:
        try:
            self._store.put(key, dump(content))
        except Error as error:
            if error.code != "conflict":
                raise

    def _read(self, key: str) -> dict[str, Any] | None:
        artifact: dict[str, Any] | None = load_artifact_if_any(self._store, key)
        return artifact


def redacted(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of a run or an evaluation (which has mistakes) without what its document said."""
    kept = {name: item[name] if name in _KEPT_OF_AN_ITEM else _empty(item[name]) for name in item}
    if "mistakes" in item:
        return kept | {"file": "", "error": "erased", "erased": True}
    error = {
        "code": "not_found",
        "message": "This extraction was erased.",
        "request_id": item.get("request_id"),
        "details": {"reason": "erased"},
    }
    return kept | {"file": "", "ok": False, "result": None, "error": error, "erased": True}


def _empty(value: Any) -> Any:
    return type(value)() if isinstance(value, bool | list | dict) else None


def _view(erasure: Erasure) -> dict[str, Any]:
    return {
        "request_id": erasure.request_id,
        "erased_at": timestamp(datetime.fromtimestamp(erasure.erased_at, UTC)),
        "erased_by": erasure.erased_by,
    }

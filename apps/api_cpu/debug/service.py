"""Looks artifacts up by the index, and hands them out in bulk. Only admins have the scope."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from apps.api_cpu.artifacts.index import (
    ArtifactEntry,
    ArtifactFilter,
    ArtifactIndex,
    ArtifactKind,
)
from apps.api_cpu.artifacts.service import RAW_MODEL_TEXT, ArtifactService
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.cursors import cursor_at, position_of
from apps.api_cpu.errors import invalid, not_found
from apps.api_cpu.wire import dump, timestamp
from lib.errors import Error

MOST_ARTIFACTS = 10_000
MOST_BYTES = 1024 * 1024 * 1024
_BATCH = 200
_MANIFEST = "backup.json"
# Artifacts compress to a tenth at any level; higher ones only take longer.
_GZIP_LEVEL = 3


class DebugService:
    """For callers with `debug:read_raw`. Safe to share between threads."""

    def __init__(
        self,
        index: ArtifactIndex,
        store: ArtifactStore,
        artifacts: ArtifactService,
        *,
        most_artifacts: int = MOST_ARTIFACTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """At most so much goes into one backup."""
        self._index = index
        self._store = store
        self._artifacts = artifacts
        self._most_artifacts = most_artifacts
        self._most_bytes = most_bytes

    def page(self, wanted: ArtifactFilter, cursor: str | None, limit: int) -> dict[str, Any]:
        """Entries of the index, the newest first. Raises `validation_error` for a bad cursor."""
        found = self._index.page(wanted, position_of(cursor), limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return {
            "artifacts": [_view(entry) for entry in found[:limit]],
            "next_cursor": last and cursor_at((last.created_at, last.artifact_rel)),
        }

    def one(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """All that is kept about a request: its own artifact first. Raises `not_found`."""
        entries = self._about(request_id)
        artifact = self._artifacts.read(entries[0].artifact_rel, caller)
        artifact.pop(RAW_MODEL_TEXT, None)
        return {
            "request_id": request_id,
            "artifacts": [_view(entry) for entry in entries],
            "artifact": artifact,
        }

    def raw(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """What the model wrote, and what it was asked. Raises `not_found`."""
        artifact = self._artifacts.read(self._about(request_id)[0].artifact_rel, caller)
        return {
            "request_id": request_id,
            "backend": artifact.get("backend"),
            "model": artifact.get("model"),
            "inference": artifact.get("inference"),
            RAW_MODEL_TEXT: artifact.get(RAW_MODEL_TEXT),
        }

    def backup(self, wanted: ArtifactFilter, after: str | None) -> Iterator[bytes]:
        """A tar.gz of artifacts by day and key, one in memory at a time.

        It ends when it is full; its last member, `backup.json`, says whether it
        is complete and, where it is not, the `after` that the next one begins with.
        """
        sink = _Sink()
        archive = tarfile.open(mode="w", fileobj=sink.zipped)  # noqa: SIM115  # closed below
        count = size = 0
        last: str | None = None
        complete = True
        for entry in self._walk(wanted, after):
            if count >= self._most_artifacts or size >= self._most_bytes:
                complete = False
                break
            last = entry.artifact_rel
            data = self._bytes(entry.artifact_rel)
            if data is not None:
                _add(archive, entry.artifact_rel, data, entry.created_at)
                count, size = count + 1, size + len(data)
                yield sink.taken()
        manifest = {
            "artifacts": count,
            "bytes": size,
            "complete": complete,
            "after": None if complete else last,
        }
        _add(archive, _MANIFEST, dump(manifest, indent=True), datetime.now(UTC).timestamp())
        archive.close()
        sink.zipped.close()
        yield sink.taken()

    def _walk(self, wanted: ArtifactFilter, after: str | None) -> Iterator[ArtifactEntry]:
        position = ("", "") if after is None else (after.split("/")[1], after)
        while entries := self._index.in_order(wanted, position, _BATCH):
            yield from entries
            position = (entries[-1].day, entries[-1].artifact_rel)

    def _bytes(self, key: str) -> bytes | None:
        try:
            return self._store.get(key)
        except Error as error:
            if error.code != "not_found":
                raise
            return None  # purged meanwhile

    def _about(self, request_id: str) -> list[ArtifactEntry]:
        entries = self._index.all_about(request_id)
        if not entries:
            raise not_found()
        return sorted(entries, key=lambda entry: entry.artifact_id != request_id)


class _Sink:
    """Where the compressed archive goes until it is sent."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self.zipped = gzip.GzipFile(
            fileobj=self._buffer, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0
        )

    def taken(self) -> bytes:
        """What has come since the last time."""
        data = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return data


def require_key_of_kind(after: str | None) -> str | None:
    """`after`, if it is an artifact's key. Raises `validation_error`."""
    if after is not None and (
        after.count("/") != 2 or after.split("/")[0] not in set(ArtifactKind)
    ):
        raise invalid("after", "is not one that a backup named")
    return after


def _add(archive: tarfile.TarFile, name: str, data: bytes, moment: float) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mtime = int(moment)
    archive.addfile(member, io.BytesIO(data))


def _view(entry: ArtifactEntry) -> dict[str, Any]:
    view = asdict(entry)
    del view["items"]
    return view | {"created_at": timestamp(datetime.fromtimestamp(entry.created_at, UTC))}

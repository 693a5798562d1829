"""Corrections of an extraction: typed against its task, kept as artifacts of their own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from apps.api_cpu import logs
from apps.api_cpu.artifacts.reading import load_artifact, load_artifact_if_any
from apps.api_cpu.artifacts.store import ArtifactStore, correction_key
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.errors import invalid
from apps.api_cpu.extractions.store import ExtractIndex, require_visible
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.result_cache.service import ResultCache
from apps.api_cpu.vendors.service import VendorService
from apps.api_cpu.wire import dump, timestamp
from lib.domain.task import FieldSpec, FieldType, Task
from lib.errors import Error, Kind
from lib.post.schema import schema_errors

MOST_CORRECTIONS = 100
"""Of one extraction: all of them are read to say what they make of it."""

SURE = 0.95
"""Of fields answered with at least this confidence 19 of 20 are right (docs/sla.md)."""

# Of the artifact, not of the answer.
_NOT_SHOWN = ("owner_key_id", "code_version", "input")


@dataclass(frozen=True, slots=True)
class _Extraction:
    """The extraction that is corrected."""

    request_id: str
    owner_key_id: str
    task: Task
    result: Mapping[str, Any]
    confidences: Mapping[str, float]
    printed_date: str
    input: Mapping[str, Any]


class CorrectionService:
    """Takes and shows corrections. Safe to share between threads.

    `corrected` counts the answered fields that a person changed since the start, those that were
    sure (`SURE`) and those that were not.
    """

    def __init__(
        self,
        store: ArtifactStore,
        extracts: ExtractIndex,
        index: CorrectionIndex,
        tasks: Mapping[str, Task],
        vendors: VendorService,
        answers: ResultCache,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._extracts = extracts
        self._index = index
        self._tasks = tasks
        self._vendors = vendors
        self._answers = answers
        self._clock = clock
        self._counting = threading.Lock()
        self.corrected: Counter[bool] = Counter()

    def add(
        self, request_id: str, fields: Mapping[str, Any], comment: str | None, caller: Caller
    ) -> dict[str, Any]:
        """Keep a correction; the vendor that it confirms is remembered for the document's owner.

        Raises `not_found`; `conflict` for a request that failed, as it has no fields, and for more
        than `MOST_CORRECTIONS`; `validation_error` when the fields do not fit the task;
        `storage_unavailable`.
        """
        extraction = self._extraction(request_id, caller)
        _require_fitting(extraction.task, fields)
        if len(self._index.of(request_id)) >= MOST_CORRECTIONS:
            raise Error("conflict", Kind.CONFLICT, "This request has been corrected too often.")
        now, correction_id = self._clock(), new_request_id()
        artifact_rel = correction_key(now, correction_id)
        artifact: dict[str, Any] = {
            "correction_id": correction_id,
            "request_id": request_id,
            "owner_key_id": extraction.owner_key_id,
            "corrected_by": caller.key_id,
            "created_at": timestamp(now),
            "code_version": version("ocr-service"),
            "task_id": extraction.task.id,
            "input": extraction.input,
            "fields": fields,
            "comment": comment,
            "artifact_rel": artifact_rel,
        }
        # What a person found wrong is not given again, also where the vendor is not in it.
        self._answers.forget_document(extraction.owner_key_id, extraction.input["sha256"])
        # Noted before it is written: wherever this ends, an erasure knows what to delete.
        self._index.add(correction_id, request_id, artifact_rel)
        try:
            self._store.put(artifact_rel, dump(artifact))
        except Error:
            self._index.forget_one(correction_id)
            raise
        self._remember(extraction, fields)
        self._undo_if_erased(artifact, caller)
        self._count(extraction, fields)
        return _shown(artifact)

    def all(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """The corrections of an extraction, and its result with all of them applied."""
        extraction = self._extraction(request_id, caller)
        corrections = self._written(request_id)
        result = dict(extraction.result)
        for correction in corrections:
            result |= correction["fields"]
        return {
            "request_id": request_id,
            "corrections": [_shown(correction) for correction in corrections],
            "result": result,
        }

    def corrected_fields(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """The fields that corrections name, as the latest of them says; empty without any."""
        self._extraction(request_id, caller)
        fields: dict[str, Any] = {}
        for correction in self._written(request_id):
            fields |= correction["fields"]
        return fields

    def _written(self, request_id: str) -> list[dict[str, Any]]:
        """The corrections that are noted, without one that was never written."""
        keys = self._index.of(request_id)
        found = (load_artifact_if_any(self._store, key) for key in keys)
        return [correction for correction in found if correction is not None]

    def _extraction(self, request_id: str, caller: Caller) -> _Extraction:
        entry = require_visible(self._extracts.find(request_id), caller)
        artifact = self._read(entry.artifact_rel)
        response = artifact["response"]
        task = None if response is None else self._tasks.get(response["task_id"])
        if response is None or task is None:
            raise Error(
                "conflict",
                Kind.CONFLICT,
                "This request has no fields to correct: it failed, or its task is gone.",
            )
        date_field = response["fields"].get("issue_date", {})
        return _Extraction(
            request_id,
            entry.owner_key_id,
            task,
            response["result"],
            {name: field["confidence"] for name, field in response["fields"].items()},
            date_field.get("raw", ""),
            artifact["input"] or {},
        )

    def _read(self, key: str) -> dict[str, Any]:
        artifact: dict[str, Any] = load_artifact(self._store, key)
        return artifact

    def _undo_if_erased(self, artifact: Mapping[str, Any], caller: Caller) -> None:
        """An erasure that came between did not see this correction. Raises `not_found` then."""
        entry = self._extracts.find(artifact["request_id"])
        if entry is not None and entry.erased_at is not None:
            self._vendors.unconfirm(artifact["owner_key_id"], artifact["fields"])
            self._index.forget_one(artifact["correction_id"])
            self._store.delete(artifact["artifact_rel"])
            require_visible(entry, caller)

    def _count(self, extraction: _Extraction, fields: Mapping[str, Any]) -> None:
        with self._counting:
            for name, value in fields.items():
                before = extraction.result.get(name)
                if name in extraction.confidences and before is not None and before != value:
                    self.corrected[extraction.confidences[name] >= SURE] += 1

    def _remember(self, extraction: _Extraction, fields: Mapping[str, Any]) -> None:
        """The vendor's other fields stand beside the corrected ones only if a person gave them."""
        try:
            self._vendors.confirm(
                extraction.owner_key_id,
                fields,
                extraction.printed_date,
                str(extraction.input.get("sha256", "")),
            )
        except Error as error:
            # The correction itself is safe; the memory is an aid.
            logs.warning(
                "a vendor was not remembered", request_id=extraction.request_id, code=error.code
            )


def _shown(artifact: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in artifact.items() if name not in _NOT_SHOWN}


def _require_fitting(task: Task, fields: Mapping[str, Any]) -> None:
    """Raise `validation_error` unless the fields are the task's and of their types."""
    for name in fields:
        if task.field(name) is None:
            raise invalid(f"fields.{name[:100]}", f"is not a field of {task.id}")
    # Only what is corrected is judged: what was read may be wrong, that is the point.
    unjudged: dict[str, Any] = {
        spec.name: [] if spec.type is FieldType.TABLE else None for spec in task.fields
    }
    for error in schema_errors(task, unjudged | dict(fields)):
        place, _, rule = error.partition(": ")
        raise invalid(f"fields.{place}", f"does not fit the task's schema: {rule}")
    for spec in task.fields:
        if spec.type is FieldType.TABLE:
            for index, row in enumerate(fields.get(spec.name) or ()):
                for column in spec.columns:
                    _require_day(f"{spec.name}[{index}].{column.name}", column, row[column.name])
        else:
            _require_day(spec.name, spec, fields.get(spec.name))


def _require_day(place: str, spec: FieldSpec, value: Any) -> None:
    """The schema's pattern lets 2026-02-30 pass."""
    if spec.type is not FieldType.DATE or value is None:
        return
    try:
        date.fromisoformat(value)
    except ValueError:
        raise invalid(f"fields.{place}", "is not a day of the calendar") from None

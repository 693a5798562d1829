"""What becomes known of a request while it is served, and the artifact made of it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from apps.api_cpu.artifacts.service import RAW_MODEL_TEXT
from apps.api_cpu.artifacts.store import extract_key
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import envelope, status_of
from apps.api_cpu.extractions.body import Submission
from apps.api_cpu.extractions.response import words_shown
from apps.api_cpu.request_context import RequestContext
from apps.api_cpu.wire import dump, timestamp
from lib.domain.cancellation import Cancellation
from lib.domain.extraction import Extraction
from lib.domain.model_calls import Journal
from lib.domain.task import Task
from lib.errors import Error
from lib.pipelines.stopwatch import Stopwatch


@dataclass(slots=True)
class Draft:
    """Grows from the moment that a caller is authorised; at the end an artifact is made of it.

    `accepted`: its id was taken when a job was accepted, so an earlier attempt may have answered
    it already; `attempt` is the number of this one and `vain` are those before it. `reused` is the
    artifact of the extraction whose answer is given again, where nothing was read.
    """

    context: RequestContext
    caller: Caller
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    accepted: bool = False
    attempt: int = 1
    vain: Sequence[dict[str, Any]] = ()
    taking_id: threading.Lock = field(default_factory=threading.Lock, repr=False)
    reserved: bool = False
    id_is_taken: bool = False
    submission: Submission | None = None
    task: Task | None = None
    attempt_started_at: datetime | None = None
    extraction: Extraction | None = None
    reused: Mapping[str, Any] | None = None
    image_sha256: str | None = None
    image_size: int | None = None
    input_ref: str | None = None
    warnings: list[str] = field(default_factory=list)
    cancellation: Cancellation = field(default_factory=Cancellation)
    journal: Journal = field(default_factory=Journal)

    @property
    def request_id(self) -> str:
        """The request's id."""
        return self.context.request_id

    @property
    def artifact_rel(self) -> str:
        """Where its artifact goes."""
        return extract_key(self.created_at, self.request_id)

    def note_document(self, data: bytes) -> None:
        """Remember which document it is."""
        self.image_sha256 = hashlib.sha256(data).hexdigest()
        self.image_size = len(data)

    def timings_ms(self) -> dict[str, int]:
        """Milliseconds per station and in total, up to now."""
        total = round((time.monotonic() - self.started) * 1000)
        return {**self.stopwatch.timings_ms, "total": total}


def artifact_of_response(draft: Draft, response: Mapping[str, Any]) -> dict[str, Any]:
    """The artifact of a request that was answered."""
    return _artifact(draft, 200, response=response, error=None)


def artifact_of_failure(draft: Draft, error: Error) -> dict[str, Any]:
    """The artifact of a request that failed."""
    body = envelope(error, draft.request_id)["error"]
    return _artifact(draft, status_of(error), response=None, error=body)


def _artifact(
    draft: Draft,
    status: int,
    response: Mapping[str, Any] | None,
    error: Mapping[str, Any] | None,
) -> dict[str, Any]:
    read = _read(draft)
    return {
        "request_id": draft.request_id,
        "owner_key_id": draft.caller.key_id,
        "created_at": timestamp(draft.created_at),
        "code_version": _built(),
        "status": status,
        "response": response,
        "error": error,
        "cached_from": _cached_from(draft),
        "input": _input(draft, read.mime_type),
        "options": _options(draft),
        "task": None if draft.task is None else _task(draft.task, read.task_id),
        "backend": read.backend,
        "model": read.model,
        "attempts": _attempts(draft, error),
        "timings_ms": draft.timings_ms(),
        "timings_us": draft.stopwatch.timings_us,
        "ocr_words": read.words,
        "inference": _inference(draft.journal),
        RAW_MODEL_TEXT: draft.journal.raw_text,
    }


@dataclass(frozen=True, slots=True)
class _Read:
    """What an artifact says of a document that was read, now or before."""

    mime_type: str | None = None
    task_id: str | None = None
    backend: str | None = None
    model: str | None = None
    words: Sequence[Mapping[str, Any]] = ()


def _read(draft: Draft) -> _Read:
    extraction, reused = draft.extraction, draft.reused
    if extraction is not None:
        return _Read(
            extraction.mime_type,
            extraction.task_id,
            extraction.backend,
            extraction.model,
            [{"page": page.number, "words": words_shown(page)} for page in extraction.pages],
        )
    if reused is not None:
        return _Read(
            reused["input"]["mime_type"],
            reused["task"]["ran"],
            reused["backend"],
            reused["model"],
            reused["ocr_words"],
        )
    return _Read()


def _cached_from(draft: Draft) -> dict[str, Any] | None:
    """Which extraction gave the answer, where nothing was read."""
    if draft.reused is None:
        return None
    names = ("request_id", "created_at", "artifact_rel")
    return {name: draft.reused["response"][name] for name in names}


def _inference(journal: Journal) -> dict[str, Any] | None:
    """What was asked of a model and what it took, without what it wrote; None when none was."""
    if not journal.calls:
        return None
    return {
        "calls": [
            {
                "number": number,
                "purpose": call.purpose,
                "model": call.model,
                "card": call.card,
                "prompt_sha256": call.prompt_sha256,
                "images": call.images,
                "duration_ms": round(call.seconds * 1000),
                "failed_attempts": list(call.failed_attempts),
                "prompt_tokens": call.prompt_tokens,
                "completion_tokens": call.completion_tokens,
                "finish_reason": call.finish_reason,
                "error": call.error,
                "problem": call.problem or None,
            }
            for number, call in enumerate(journal.calls, start=1)
        ],
        "prompt_tokens": sum(call.prompt_tokens for call in journal.calls),
        "completion_tokens": sum(call.completion_tokens for call in journal.calls),
        "gpu_seconds": round(journal.seconds, 6),
        "price_per_hour_usd": journal.price_per_hour,
        "cost_usd": round(journal.cost, 6),
    }


def _input(draft: Draft, mime_type: str | None) -> dict[str, Any] | None:
    if draft.submission is None:
        return None
    options = draft.submission.options
    return {
        "sha256": draft.image_sha256,
        "size_bytes": draft.image_size,
        "mime_type": mime_type,
        "claimed_mime_type": options.mime_type,
        "filename": options.filename,
        "image_base64_len": draft.submission.base64_length,
        "image_ref": options.image_ref,
        "input_ref": draft.input_ref,
    }


def _options(draft: Draft) -> dict[str, Any] | None:
    if draft.submission is None:
        return None
    kept_elsewhere = {"image_base64", "image_ref", "filename", "mime_type", "request_id"}
    return draft.submission.options.model_dump(
        mode="json", exclude=kept_elsewhere, exclude_none=True
    )


def _task(task: Task, ran: str | None) -> dict[str, Any]:
    return {"id": task.id, "ran": ran, **task_hashes(task)}


def _attempts(draft: Draft, error: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if draft.attempt_started_at is None:
        return list(draft.vain)
    return [
        *draft.vain,
        {
            "number": draft.attempt,
            "started_at": timestamp(draft.attempt_started_at),
            "error": None if error is None else error["code"],
        },
    ]


@cache
def _built() -> str:
    """The version of this code. To look it up reads the package's metadata from the disk."""
    return version("ocr-service")


# A request may name a model, but no task of its own: there are as many as files.
@lru_cache(maxsize=64)
def task_hashes(task: Task) -> Mapping[str, str]:
    """SHA-256 of the task's definition and of its results' schema."""
    return {
        "sha256": hashlib.sha256(repr(task).encode()).hexdigest(),
        "schema_sha256": hashlib.sha256(dump(task.json_schema())).hexdigest(),
    }

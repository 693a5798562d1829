"""One extraction: ids, task, document, artifact; the same for whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from apps.api_cpu import logs
from apps.api_cpu.artifacts.reading import load_artifact
from apps.api_cpu.artifacts.store import ArtifactStore, is_no_room
from apps.api_cpu.auth.roles import Caller, Scope
from apps.api_cpu.duplicates.service import DuplicateService
from apps.api_cpu.errors import internal_error, invalid
from apps.api_cpu.extractions.body import Received, parse, understand
from apps.api_cpu.extractions.draft import Draft, artifact_of_failure, artifact_of_response
from apps.api_cpu.extractions.observer import Observer
from apps.api_cpu.extractions.request_ids import RequestIds
from apps.api_cpu.extractions.reuse import (
    INPUT_NOT_KEPT,
    NO_ARTIFACT,
    Answer,
    Reuse,
    answer_of,
)
from apps.api_cpu.extractions.schemas import ExtractRequest
from apps.api_cpu.extractions.store import ExtractIndex, require_visible
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.inputs.service import KEPT, InputStore
from apps.api_cpu.request_context import is_request_id
from apps.api_cpu.vendors.service import VendorMemory
from apps.api_cpu.wire import dump, timestamp
from lib.domain.cancellation import Canceled
from lib.domain.deadline import Deadline
from lib.domain.extraction import Hints
from lib.domain.task import Task
from lib.domain.tracing import Attributes
from lib.errors import Error, Kind
from lib.kie.models.sight import Asking
from lib.pipelines.extract import Pipeline, Stations, extract


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer that was given before: its status and body."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """A request that has been understood. `data` is None when it names a stored input."""

    task: Task
    options: ExtractRequest
    data: bytes | None


class ExtractionService:
    """Serves extractions. Safe to share between threads."""

    def __init__(  # noqa: PLR0913, PLR0917 (stations, stores and aids, given once)
        self,
        stations: Stations,
        store: ArtifactStore,
        index: ExtractIndex,
        inputs: InputStore,
        max_bytes: int,
        vendors: VendorMemory,
        duplicates: DuplicateService,
        reuse: Reuse,
        observer: Observer | None = None,
        clock: Callable[[], datetime] = utc_now,
        pipeline: Pipeline = extract,
    ) -> None:
        self._stations = stations
        self._store = store
        self._index = index
        self._inputs = inputs
        self._max_bytes = max_bytes
        self._vendors = vendors
        self._duplicates = duplicates
        self._reuse = reuse
        self._observer = observer
        self._clock = clock
        self._pipeline = pipeline
        self._ids = RequestIds(index, store)

    def understand(self, draft: Draft, received: Received, *, later: bool = False) -> Order:
        """What is asked for; the request gets the id that its body names.

        `later`: it is answered by a job, so that it may name a `callback_url`. Raises
        `bad_request`, `validation_error`, `payload_too_large`, `forbidden`.
        """
        body = parse(received)
        wanted_id = body.fields.get("request_id")
        if isinstance(wanted_id, str) and is_request_id(wanted_id):
            draft.context.request_id = wanted_id
        submission = draft.submission = understand(body, self._max_bytes, later=later)
        options = submission.options
        if options.debug is not None and options.debug.asks_for_anything:
            draft.caller.require(Scope.DEBUG_RUN)
            if options.debug.include_raw:
                draft.caller.require(Scope.DEBUG_READ_RAW)
            if options.debug.steers_model and self._stations.model is None:
                raise invalid("debug", "this server reads without a model")
        task = draft.task = self._stations.tasks.get(options.task_id)
        if task is None:
            raise invalid("task_id", "there is no such task; `GET /v1/tasks` lists them")
        if submission.data is not None:
            draft.note_document(submission.data)
        return Order(task, options, submission.data)

    def extract(self, draft: Draft, order: Order, deadline: Deadline) -> dict[str, Any]:
        """The response; its artifact is written.

        Raises `Error`, having noted in `draft` how far it came: `fail` then writes the artifact.
        """
        attributes = {"ocr.request.id": draft.request_id, "ocr.document.size": draft.image_size}
        with draft.context.span.child("extract", attributes=attributes) as span:
            draft.stopwatch.span = span
            response = self._extracted(draft, order, deadline)
            span.note(_told(response))
        return response

    def _extracted(self, draft: Draft, order: Order, deadline: Deadline) -> dict[str, Any]:
        options = order.options
        self._store.require_room(len(order.data or b"") if options.persist_inputs else 0)
        with self._ids.taken(draft) as take_soon:
            data = self._stored_input(draft, options) if order.data is None else order.data
            draft.attempt_started_at = moment = self._clock()
            vendors = partial(self._vendors.revision, draft.caller.key_id)
            question = self._reuse.question(draft, order.task, options, vendors, moment.date())
            try:
                known = self._reuse.known(draft, question)
                answer = known or self._read(draft, order, data, deadline, take_soon)
            finally:
                if options.persist_inputs and not draft.accepted:
                    self._persist(draft, options, data)
        response = self._finish(draft, options, answer)
        if known is None:
            self._reuse.keep(question, response)
            self._note(draft, response)
        return response

    def _read(
        self,
        draft: Draft,
        order: Order,
        data: bytes,
        deadline: Deadline,
        meanwhile: Callable[[], None],
    ) -> Answer:
        options = order.options
        try:
            draft.extraction = self._pipeline(
                data,
                order.task,
                self._stations,
                self._hints(draft, options),
                deadline,
                page_selection=options.pages,
                stopwatch=draft.stopwatch,
                asking=_asking(draft, options, meanwhile),
                compare=options.compare,
            )
        except Canceled:
            raise caller_left() from None
        except Error as error:
            if error.details.get("reason") == "model_unknown" and _wanted_model(options):
                raise invalid("debug.model", "no inference server serves it") from None
            raise
        return answer_of(draft.extraction, options)

    def _note(self, draft: Draft, response: Mapping[str, Any]) -> None:
        """Tell who counts and remembers what was read."""
        if draft.extraction is not None:
            fields = draft.extraction.reading.fields
            self._vendors.seen(draft.caller.key_id, fields, draft.image_sha256 or "")
        if self._observer is not None:
            self._observer.answered(response)

    def fail(self, draft: Draft, exc: Exception) -> Error:
        """The error to answer with; its artifact is written, unless the id was taken already."""
        if isinstance(exc, Error):
            error = exc
        else:
            logs.unexpected(exc, request_id=draft.request_id, key_id=draft.caller.key_id)
            error = internal_error()
        if self._observer is not None:
            self._observer.failed(error.code)
        if draft.id_is_taken or is_no_room(error):
            # Not tried again: the id may be free by now, and a refusal must not use it up.
            return error
        try:
            if not draft.reserved:
                self._ids.take(draft)
            named = Error(
                error.code,
                error.kind,
                error.message,
                {**error.details, "artifact_rel": draft.artifact_rel},
                retryable=error.retryable,
            )
            self._store.put(draft.artifact_rel, dump(artifact_of_failure(draft, named)))
        except Error as unwritten:
            logs.warning(
                "no artifact for a failed request",
                request_id=draft.request_id,
                code=error.code,
                reason=unwritten.code,
            )
            if self._observer is not None:
                self._observer.not_kept()
            return error
        self._duplicates.failed(draft.request_id)
        return named

    def outcome(self, draft: Draft, order: Order, deadline: Deadline) -> dict[str, Any] | Error:
        """The response, or the error of `fail`: for one of many, where the others go on."""
        try:
            return self.extract(draft, order, deadline)
        except Exception as exc:  # noqa: BLE001  # as at the endpoint: whatever it is, it is kept
            return self.fail(draft, exc)

    def accept(self, draft: Draft) -> None:
        """Take the id of a request that is answered later, by a job. Raises `conflict`."""
        self._ids.take(draft)
        draft.accepted = True

    def hold_id(self, draft: Draft) -> None:
        """Keep an accepted id for as long as its job may wait. Raises as `accept`."""
        self._ids.take(draft)
        self._index.keep(draft.request_id, draft.artifact_rel)

    def recorded(self, draft: Draft) -> Stored | None:
        """The answer that an earlier attempt at the same job has written; None without one.

        Raises `storage_unavailable`.
        """
        if not self._store.exists(draft.artifact_rel):
            return None
        return _stored(self._load(draft.artifact_rel))

    def response(self, artifact_rel: str) -> dict[str, Any]:
        """The response in an artifact, for who has been let see its job.

        Raises `not_found`, `storage_unavailable`.
        """
        return _stored(self._load(artifact_rel)).body

    def again(self, request_id: str, caller: Caller) -> Stored:
        """The answer that a request got, a failure included. Raises as `artifact` does."""
        return _stored(self.artifact(request_id, caller))

    def artifact(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """What is kept of a request.

        Raises `not_found`: unknown, somebody else's, or still running; `storage_unavailable`.
        """
        entry = require_visible(self._index.find(request_id), caller)
        return self._load(entry.artifact_rel)

    def _load(self, artifact_rel: str) -> dict[str, Any]:
        artifact: dict[str, Any] = load_artifact(self._store, artifact_rel)
        return artifact

    def release(self, request_id: str, caller: Caller) -> None:
        """Free an id that the caller's request took, whose server died before it answered."""
        self._index.release(request_id, caller.key_id)

    def _stored_input(self, draft: Draft, options: ExtractRequest) -> bytes:
        data = self._inputs.read(options.image_ref or "", draft.caller)
        draft.note_document(data)
        return data

    def _persist(self, draft: Draft, options: ExtractRequest, data: bytes) -> None:
        """Keep the document. That it cannot be kept is a warning: it has been read by now."""
        try:
            self._keep_input(draft, options, data)
        except Error as error:
            if error.code != "storage_unavailable":
                raise
            logs.warning("an input was not kept", request_id=draft.request_id)
            draft.warnings.append(INPUT_NOT_KEPT)

    def _keep_input(self, draft: Draft, options: ExtractRequest, data: bytes) -> None:
        with draft.stopwatch.station("store"):
            if options.image_ref is not None:
                self._inputs.keep(options.image_ref, draft.caller)
                draft.input_ref = options.image_ref
                return
            content = Content.of_bytes(data, draft.image_sha256)
            owner, moment = draft.caller.key_id, draft.created_at
            draft.input_ref = self._inputs.hold(content, owner, moment, KEPT)

    def _finish(self, draft: Draft, options: ExtractRequest, answer: Answer) -> dict[str, Any]:
        debug = options.debug
        response: dict[str, Any] = {
            "request_id": draft.request_id,
            "created_at": timestamp(draft.created_at),
            **answer.shown,
            "warnings": [*answer.shown["warnings"], *draft.warnings],
            "input_ref": draft.input_ref,
            "timings_ms": draft.timings_ms(),
            "artifact_rel": draft.artifact_rel,
        }
        self._note_duplicates(draft, response, answer)
        if debug is not None and debug.include_raw:
            response["raw_model_text"] = draft.journal.raw_text
        with draft.stopwatch.station("store"):
            artifact = artifact_of_response(draft, response)
            try:
                self._store.put(draft.artifact_rel, dump(artifact))
            except Error as error:
                if error.code != "storage_unavailable":
                    raise
                # There was room before the work. The answer is not thrown away after it.
                logs.failure("an answer has NO artifact", request_id=draft.request_id)
                response["warnings"] = [*response["warnings"], NO_ARTIFACT]
                if self._observer is not None:
                    self._observer.not_kept()
        return response | {"timings_ms": draft.timings_ms()}

    def _note_duplicates(self, draft: Draft, response: dict[str, Any], answer: Answer) -> None:
        found = self._duplicates.meet(
            draft.request_id,
            draft.caller.key_id,
            draft.image_sha256 or "",
            response["result"],
            answer.words,
        )
        response["duplicates"] = [duplicate.shown for duplicate in found]
        response["warnings"] += [f"duplicate:{duplicate.request_id}" for duplicate in found]

    def _hints(self, draft: Draft, options: ExtractRequest) -> Hints:
        return Hints(
            received_on=(draft.attempt_started_at or self._clock()).date(),
            language=options.language,
            currency=options.currency_hint,
            date_order=options.date_order_hint,
            vendors=self._vendors.book(draft.caller.key_id),
            max_error_rate=options.max_error_rate,
        )


def _stored(artifact: Mapping[str, Any]) -> Stored:
    if artifact["response"] is not None:
        return Stored(artifact["status"], artifact["response"])
    return Stored(artifact["status"], {"error": artifact["error"]})


def _told(response: Mapping[str, Any]) -> Attributes:
    """What a trace says of an answer: counts and codes."""
    return {
        "ocr.document.type": response["document_type"],
        "ocr.backend": response["backend"],
        "ocr.model": response["model"],
        "ocr.pages": len(response["pages"]),
        "ocr.fields": len(response["fields"]),
        "ocr.needs_review": response["needs_review"],
    }


def _wanted_model(options: ExtractRequest) -> str | None:
    return options.debug.model if options.debug else None


def _asking(draft: Draft, options: ExtractRequest, meanwhile: Callable[[], None]) -> Asking:
    """What the request says of the model, where its calls are noted, and what else is to do."""
    return Asking(
        journal=draft.journal,
        model=_wanted_model(options),
        temperature=options.debug.temperature if options.debug else None,
        cancellation=draft.cancellation,
        request_id=draft.request_id,
        owner=draft.caller.key_id,
        meanwhile=meanwhile,
    )


def caller_left() -> Error:
    """For the artifact alone: whoever asked hears nothing any more."""
    return Error(
        "inference_timeout",
        Kind.TIMEOUT,
        "The caller left before the document was read.",
        {"reason": "caller_left"},
        retryable=True,
    )

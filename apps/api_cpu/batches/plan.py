"""What a batch is to read, understood before anything of it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import ValidationError

from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.batches.schemas import (
    BatchRequest,
    Only,
    RerunRequest,
    SharedOptions,
    UploadRequest,
)
from apps.api_cpu.batches.sources import ServerFolder, Source, not_persisted, stored_inputs
from apps.api_cpu.batches.upload import UploadedDocument
from apps.api_cpu.errors import from_validation, invalid
from apps.api_cpu.extractions.item import Item
from apps.api_cpu.extractions.schemas import DebugOptions, ExtractRequest
from apps.api_cpu.jobs.rows import Kind
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.runs.service import RunService
from lib.domain.deadline import Deadline
from lib.domain.task import Task

BATCHES = (Kind.BATCH_EXTRACT, Kind.BATCH_EXTRACT_UPLOAD, Kind.BATCH_EXTRACT_RERUN)


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch that has been understood: nothing of it can be refused any more.

    `is_kept`: its inputs can be named after its end. `truth`: the text that it is judged against.
    `job_id` may hold inputs already.
    """

    kind: Kind
    run_id: str
    task: Task
    sources: Sequence[Source]
    options: ExtractRequest
    concurrency: int | None
    callback_url: str | None = None
    is_kept: bool = False
    truth: str | None = None
    job_id: str = field(default_factory=new_request_id)


class TruthReader(Protocol):
    """Knows what a truth file must look like."""

    def documents(self, text: str) -> object:
        """The documents of a truth file's text. Raises `validation_error`."""
        ...


class BatchPlanner:
    """Safe to share between requests."""

    def __init__(
        self,
        folder: ServerFolder,
        runs: RunService,
        tasks: Mapping[str, Task],
        truth: TruthReader,
        *,
        asks_model: bool,
        most_documents: int,
    ) -> None:
        self._folder = folder
        self._runs = runs
        self._tasks = tasks
        self._truth = truth
        self._asks_model = asks_model
        self._most_documents = most_documents

    def named(self, request: BatchRequest, run_id: str, deadline: Deadline) -> Plan:
        """Of stored inputs or of a folder, under `run_id` unless the request names another.

        Raises `validation_error`, `not_found`, `payload_too_large`, `inference_timeout`.
        """
        truth = None
        if request.gt_ref is not None:
            truth = self._folder.text(request.gt_ref)
            self._truth.documents(truth)
        if request.items is not None:
            sources: Sequence[Source] = stored_inputs(request.items)
        else:
            limit = min(request.limit or self._most_documents, self._most_documents)
            folder = request.images_dir or ""
            sources = self._folder.documents(folder, request.glob, limit, deadline)
        return self._plan(
            Kind.BATCH_EXTRACT,
            request,
            request.run_id or run_id,
            request.task_id,
            sources,
            is_kept=request.persist_inputs or request.items is not None,
            truth=truth,
        )

    def uploaded(
        self,
        request: UploadRequest,
        run_id: str,
        documents: Sequence[UploadedDocument],
        job_id: str,
    ) -> Plan:
        """Of documents that are held under `job_id`. Raises `validation_error`."""
        if not documents:
            raise invalid("files", "has no documents")
        sources = [
            Source(document.file, image_ref=document.input_ref, error=document.error)
            for document in documents
        ]
        return self._plan(
            Kind.BATCH_EXTRACT_UPLOAD,
            request,
            request.run_id or run_id,
            request.task_id,
            sources,
            is_kept=request.persist_inputs,
            job_id=job_id,
        )

    def again(self, request: RerunRequest, run_id: str, caller: Caller) -> Plan:
        """Of a run's items, under `run_id` unless the request names another.

        Raises `not_found`; `conflict` while the run goes on; `validation_error`, also when the run
        has no such items.
        """
        task_id = request.task_id or self._runs.ended(request.run_id, caller)["task_id"]
        items = self._runs.items(request.run_id, caller)
        sources = [_source(item) for item in items if _wanted(item, request.only)]
        if not sources:
            raise invalid("only", "the run has no such items")
        return self._plan(
            Kind.BATCH_EXTRACT_RERUN,
            request,
            request.new_run_id or run_id,
            task_id,
            sources,
            is_kept=True,
        )

    def upload_request(self, fields: Mapping[str, str]) -> UploadRequest:
        """The options among an upload's form fields. Raises `validation_error`."""
        try:
            return UploadRequest.model_validate(dict(fields))
        except ValidationError as error:
            raise from_validation(error) from None

    def _plan(
        self,
        kind: Kind,
        request: SharedOptions,
        run_id: str,
        task_id: str,
        sources: Sequence[Source],
        *,
        is_kept: bool,
        truth: str | None = None,
        job_id: str | None = None,
    ) -> Plan:
        task = self._tasks.get(task_id)
        if task is None:
            raise invalid("task_id", "there is no such task; `GET /v1/tasks` lists them")
        if request.model is not None and not self._asks_model:
            raise invalid("model", "this server reads without a model")
        return Plan(
            kind,
            run_id,
            task,
            sources,
            _options(request, task_id),
            request.concurrency,
            request.callback_url,
            is_kept,
            truth,
            job_id or new_request_id(),
        )


def _options(request: SharedOptions, task_id: str) -> ExtractRequest:
    return ExtractRequest(
        task_id=task_id,
        language=request.language,
        currency_hint=request.currency_hint,
        date_order_hint=request.date_order_hint,
        max_error_rate=request.max_error_rate,
        debug=None if request.model is None else DebugOptions(model=request.model),
    )


def _source(item: Item) -> Source:
    if item["input_ref"]:
        return Source(item["file"], image_ref=item["input_ref"])
    return Source(item["file"], error=not_persisted())


def _wanted(item: Item, only: Only) -> bool:
    match only:
        case Only.FAILED:
            return not item["ok"]
        case Only.NEEDS_REVIEW:
            return bool(item["needs_review"])
        case Only.ALL:
            return True

"""A batch: its documents read a few at a time, each an extraction of its own, then one artifact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import ArtifactStore, batch_key
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.batches.schemas import BatchRequest, Only, RerunRequest
from apps.api_cpu.batches.sources import ServerFolder, Source, not_persisted, stored_inputs
from apps.api_cpu.errors import invalid
from apps.api_cpu.extractions.admission import Admission
from apps.api_cpu.extractions.body import Submission
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.item import Item, item_of
from apps.api_cpu.extractions.schemas import ExtractRequest
from apps.api_cpu.extractions.service import ExtractionService, Order
from apps.api_cpu.request_context import RequestContext, new_request_id
from apps.api_cpu.runs.service import RunService
from apps.api_cpu.runs.store import Counts, RunIndex, StoredRun
from apps.api_cpu.wire import dump, load_stored, timestamp
from lib.domain.deadline import Deadline
from lib.domain.task import Task
from lib.errors import Error, Kind
from lib.evaluation.truth import TruthDocument


class Evaluation(Protocol):
    """Judges the items of a run."""

    def documents(self, text: str) -> tuple[TruthDocument, ...]:
        """The documents of a truth file's text. Raises `validation_error`."""
        ...

    def of_items(
        self,
        documents: tuple[TruthDocument, ...],
        items: Sequence[Item],
        caller: Caller,
        task_id: str,
    ) -> dict[str, Any]:
        """What a response says of the evaluation. Raises `storage_unavailable`."""
        ...


# A run ends at its deadline, and a moment later its artifact is written.
_LEASE_FACTOR = 2.0
# Of a run's artifact: what its response does not say.
_NOT_SHOWN = frozenset({"owner_key_id", "code_version", "options"})


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch that has been understood: nothing of it can be refused any more."""

    run_id: str
    task: Task
    sources: Sequence[Source]
    options: ExtractRequest
    concurrency: int | None
    truth: tuple[TruthDocument, ...] | None = None


class BatchService:
    """Runs batches. Safe to share between requests."""

    def __init__(
        self,
        extractions: ExtractionService,
        runs: RunService,
        index: RunIndex,
        store: ArtifactStore,
        folder: ServerFolder,
        tasks: Mapping[str, Task],
        evaluation: Evaluation,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._extractions = extractions
        self._runs = runs
        self._index = index
        self._store = store
        self._folder = folder
        self._tasks = tasks
        self._evaluation = evaluation
        self._clock = clock

    def plan(self, request: BatchRequest, run_id: str, deadline: Deadline) -> Plan:
        """What to read, under `run_id` unless the request names another.

        Raises `validation_error`, `not_found`, `payload_too_large`, `inference_timeout`.
        """
        truth = None
        if request.gt_ref is not None:
            truth = self._evaluation.documents(self._folder.text(request.gt_ref))
        if request.items is not None:
            sources = stored_inputs(request.items)
        else:
            folder = request.images_dir or ""
            sources = self._folder.documents(folder, request.glob, request.limit, deadline)
        return Plan(
            request.run_id or run_id,
            self._task(request.task_id),
            sources,
            _options(request, request.task_id),
            request.concurrency,
            truth,
        )

    def plan_again(self, request: RerunRequest, run_id: str, caller: Caller) -> Plan:
        """What to read again, under `run_id` unless the request names another.

        Raises `not_found`; `validation_error`, also when the run has no such items.
        """
        task_id = request.task_id or self._runs.one(request.run_id, caller)["task_id"]
        items = [i for i in self._runs.items(request.run_id, caller) if _wanted(i, request.only)]
        if not items:
            raise invalid("only", "the run has no such items")
        sources = [
            Source(item["file"], image_ref=item["input_ref"])
            if item["input_ref"]
            else Source(item["file"], error=not_persisted())
            for item in items
        ]
        return Plan(
            request.new_run_id or run_id,
            self._task(task_id),
            sources,
            _options(request, task_id),
            request.concurrency,
        )

    async def run(
        self, plan: Plan, caller: Caller, admission: Admission, deadline: Deadline
    ) -> dict[str, Any]:
        """Read all documents; those that the deadline does not leave time for fail one by one.

        Raises `conflict` when the run id is taken, `storage_unavailable`.
        """
        now = self._clock()
        await run_in_threadpool(self._reserve, plan, caller, now, deadline)
        # No more than can run: what waits here does not fill the queue that all callers share.
        places = asyncio.Semaphore(min(plan.concurrency or admission.slots, admission.slots))

        async def one(source: Source) -> Item:
            async with places:
                return await self._item(source, plan, caller, admission, deadline)

        items = await asyncio.gather(*map(one, plan.sources))
        return await run_in_threadpool(self._finish, plan, caller, now, items)

    def again(self, run_id: str, caller: Caller) -> dict[str, Any] | None:
        """The response of a run that has ended, as its artifact has it; None where there is none.

        Its server may have died before it noted the counts. Raises `storage_unavailable`.
        """
        run = self._index.find(run_id)
        if run is None or run.owner_key_id != caller.key_id:
            return None
        if not self._store.exists(run.artifact_rel):
            return None
        artifact = load_stored(self._store.get(run.artifact_rel))
        response = {name: artifact[name] for name in artifact if name not in _NOT_SHOWN}
        if run.counts is None:
            names = Counts.__dataclass_fields__
            self._index.finish(run_id, Counts(**{name: response[name] for name in names}))
        return response

    def release(self, run_id: str, caller: Caller) -> None:
        """Free an id that the caller's request took, whose server died before the run's end."""
        self._index.release(run_id, caller.key_id)

    def _reserve(self, plan: Plan, caller: Caller, now: datetime, deadline: Deadline) -> None:
        lease_until = now.timestamp() + deadline.remaining() * _LEASE_FACTOR
        rel = batch_key(now, plan.run_id)
        run = StoredRun(plan.run_id, caller.key_id, now.timestamp(), lease_until, rel, plan.task.id)
        # An artifact without its counts was written by a server that died a moment later.
        if self._store.exists(rel) or not self._index.reserve(run):
            raise Error("conflict", Kind.CONFLICT, "This `run_id` has been used before.")

    async def _item(
        self, source: Source, plan: Plan, caller: Caller, admission: Admission, deadline: Deadline
    ) -> Item:
        draft = Draft(RequestContext(new_request_id(), caller.key_id), caller)
        draft.task = plan.task
        try:
            result = await admission.run(
                partial(self._read, source, plan, draft, deadline), deadline
            )
        except Error as error:  # no place, no time: the document was not begun
            result = await run_in_threadpool(self._extractions.fail, draft, error)
        return item_of(source.file, draft, result)

    def _read(
        self, source: Source, plan: Plan, draft: Draft, deadline: Deadline
    ) -> dict[str, Any] | Error:
        options = plan.options.model_copy(
            update={"image_ref": source.image_ref, "filename": source.file[-255:]}
        )
        draft.submission = Submission(options, None, None)
        if source.error is not None:
            return self._extractions.fail(draft, source.error)
        try:
            data = None if source.path is None else self._folder.read(source.path)
        except Error as error:
            return self._extractions.fail(draft, error)
        if data is not None:
            draft.note_document(data)
        return self._extractions.outcome(draft, Order(plan.task, options, data), deadline)

    def _finish(
        self, plan: Plan, caller: Caller, now: datetime, items: Sequence[Item]
    ) -> dict[str, Any]:
        ok = sum(item["ok"] for item in items)
        review = sum(item["needs_review"] for item in items)
        counts = Counts(len(items), ok, len(items) - ok, review)
        rel = batch_key(now, plan.run_id)
        response: dict[str, Any] = {
            "run_id": plan.run_id,
            "created_at": timestamp(now),
            "task_id": plan.task.id,
            "item_count": counts.item_count,
            "ok_count": counts.ok_count,
            "failed_count": counts.failed_count,
            "needs_review_count": counts.needs_review_count,
            "artifact_rel": rel,
            "items": items,
            "eval": self._evaluated(plan, items, caller),
        }
        artifact = {
            "owner_key_id": caller.key_id,
            "code_version": version("ocr-service"),
            "options": plan.options.model_dump(mode="json", exclude_none=True),
            **response,
        }
        self._store.put(rel, dump(artifact))
        self._index.finish(plan.run_id, counts)
        return response

    def _evaluated(
        self, plan: Plan, items: Sequence[Item], caller: Caller
    ) -> dict[str, Any] | None:
        """None without truth, or when the evaluation could not be kept: the run itself is."""
        if plan.truth is None:
            return None
        try:
            return self._evaluation.of_items(plan.truth, items, caller, plan.task.id)
        except Error as error:
            logs.warning("a run was not evaluated", run_id=plan.run_id, code=error.code)
            return None

    def _task(self, task_id: str) -> Task:
        task = self._tasks.get(task_id)
        if task is None:
            raise invalid("task_id", "there is no such task; `GET /v1/tasks` lists them")
        return task


def _options(request: BatchRequest | RerunRequest, task_id: str) -> ExtractRequest:
    return ExtractRequest(
        task_id=task_id,
        language=request.language,
        currency_hint=request.currency_hint,
        date_order_hint=request.date_order_hint,
        max_error_rate=request.max_error_rate,
    )


def _wanted(item: Item, only: Only) -> bool:
    match only:
        case Only.FAILED:
            return not item["ok"]
        case Only.NEEDS_REVIEW:
            return bool(item["needs_review"])
        case Only.ALL:
            return True

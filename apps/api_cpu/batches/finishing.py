"""The end of a batch: one artifact with all items, the run's counts, its evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

from apps.api_cpu import logs
from apps.api_cpu.artifacts.reading import load_artifact, load_artifact_if_any
from apps.api_cpu.artifacts.store import ArtifactStore, batch_key
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.batches.service import TRUTH_REF
from apps.api_cpu.extractions.item import Item, item_of
from apps.api_cpu.jobs.extract_job import canceled
from apps.api_cpu.jobs.finishing import Ended
from apps.api_cpu.jobs.rows import Claim, Job, JobItem, Status
from apps.api_cpu.jobs.runner import OF_THE_KIND, draft_of
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.runs.service import Progress
from apps.api_cpu.runs.store import Counts, RunIndex
from apps.api_cpu.wire import dump, timestamp
from lib.errors import Error
from lib.evaluation.truth import TruthDocument

_NOT_SHOWN = frozenset({"owner_key_id", "code_version", "options"})


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


class InputReading(Protocol):
    """Where stored inputs are."""

    def read(self, input_ref: str, caller: Caller) -> bytes:
        """The bytes. Raises `not_found`, `storage_unavailable`."""
        ...


class BatchFinisher:
    """`Finisher` of batches. What is written already is left as it is."""

    def __init__(
        self,
        store: ArtifactStore,
        runs: RunIndex,
        inputs: InputReading,
        evaluation: Evaluation,
    ) -> None:
        self._store = store
        self._runs = runs
        self._inputs = inputs
        self._evaluation = evaluation

    def finish(self, job: Job, items: Callable[[], Iterable[JobItem]]) -> Ended:
        """See `Finisher.finish`."""
        rel = _artifact_rel(job)
        if self._store.exists(rel):
            response = _response_in(load_artifact(self._store, rel))
        else:
            response = self._response(job, [shown(job, item) for item in items()])
            artifact = {
                "owner_key_id": job.owner_key_id,
                "code_version": version("ocr-service"),
                "options": {k: v for k, v in job.options.items() if k != OF_THE_KIND},
                **response,
            }
            self._store.put(rel, dump(artifact))
        names = Counts.__dataclass_fields__
        self._runs.finish(job.run_id or "", Counts(**{name: response[name] for name in names}))
        is_canceled = job.cancel_requested_at is not None
        return Ended(Status.CANCELED if is_canceled else Status.SUCCEEDED, rel)

    def result(self, job: Job) -> dict[str, Any] | None:
        """See `Finisher.result`: the run with its items, also of a canceled job."""
        if job.result_rel is None:
            return None
        artifact = load_artifact_if_any(self._store, job.result_rel)
        return None if artifact is None else _response_in(artifact)  # None: purged since

    def _response(self, job: Job, items: Sequence[Item]) -> dict[str, Any]:
        return {
            "run_id": job.run_id,
            "created_at": timestamp(_moment(job)),
            "task_id": job.task_id,
            "item_count": job.total,
            "ok_count": job.ok,
            "failed_count": job.failed,
            "needs_review_count": job.needs_review,
            "canceled_count": job.canceled,
            "artifact_rel": _artifact_rel(job),
            "items": items,
            "eval": self._evaluated(job, items),
        }

    def _evaluated(self, job: Job, items: Sequence[Item]) -> dict[str, Any] | None:
        """None without truth, or when the evaluation could not be kept: the run itself is."""
        truth_ref = job.options.get(OF_THE_KIND, {}).get(TRUTH_REF)
        if truth_ref is None:
            return None
        try:
            text = self._inputs.read(truth_ref, job.owner).decode()
            documents = self._evaluation.documents(text)
            return self._evaluation.of_items(documents, items, job.owner, job.task_id)
        except Error as error:
            logs.warning("a run was not evaluated", run_id=job.run_id, code=error.code)
            return None


class JobsOfRuns:
    """What runs show of their jobs (`RunJobs`), from the table."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs

    def progress(self, job_id: str) -> Progress | None:
        """How far a job is; None where there is none."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        counts = Counts(job.total, job.ok, job.failed, job.needs_review, job.canceled)
        return Progress(job.status.value, counts)

    def items(self, job_id: str, after: int) -> Iterator[tuple[int, Item]]:
        """Those that have ended, with their numbers, in their order, after the `after`th."""
        job = self._jobs.get(job_id)
        if job is not None:
            for item in self._jobs.items(job_id, after):
                if item.status.is_final:
                    yield item.number, shown(job, item)


def shown(job: Job, item: JobItem) -> Item:
    """The item of a run; one that was given up has failed with `canceled`."""
    if item.outcome is not None:
        return dict(item.outcome)
    given_up = item_of(item.file or "", draft_of(Claim(job, item)), canceled())
    return given_up | {"timings_ms": None}


def _response_in(artifact: Mapping[str, Any]) -> dict[str, Any]:
    return {name: artifact[name] for name in artifact if name not in _NOT_SHOWN}


def _moment(job: Job) -> datetime:
    return datetime.fromtimestamp(job.created_at, UTC)


def _artifact_rel(job: Job) -> str:
    return batch_key(_moment(job), job.run_id or "")

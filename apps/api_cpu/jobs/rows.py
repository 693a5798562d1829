"""Jobs and their items as data: what the rows say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.wire import dump, load_stored

Json = Mapping[str, Any]


class Kind(StrEnum):
    """What was asked for: the endpoint that accepted it."""

    EXTRACT = "extract"
    BATCH_EXTRACT = "batch_extract"
    BATCH_EXTRACT_UPLOAD = "batch_extract_upload"
    BATCH_EXTRACT_RERUN = "batch_extract_rerun"


class Status(StrEnum):
    """Where a job or an item is. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether it never changes again."""
        return self not in {Status.QUEUED, Status.RUNNING}


class Stage(StrEnum):
    """What is being done for a job, in a word for people."""

    QUEUED = "queued"
    EXTRACTING = "extracting"
    RETRYING = "retrying"
    FINISHING = "finishing"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class NewItem:
    """A document of a job to be. `error` is set where it is known already that it can't be read.

    `file` is a name as `file_names` makes it.
    """

    request_id: str
    file: str | None = None
    input_ref: str | None = None
    error: Json | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Accepted work. Times in Unix seconds.

    `done` items have succeeded (`ok`) or `failed`; `canceled` ones were given up. `finisher` is the
    worker that writes the end; `version` counts changes. `trace` is the carrier of the trace that
    accepted it.
    """

    job_id: str
    kind: Kind
    owner_key_id: str
    owner_role: Role
    created_at: float
    task_id: str
    options: Json
    total: int
    status: Status = Status.QUEUED
    started_at: float | None = None
    finished_at: float | None = None
    cancel_requested_at: float | None = None
    attempts: int = 0
    run_id: str | None = None
    concurrency: int | None = None
    callback_url: str | None = None
    persist_inputs: bool = False
    done: int = 0
    ok: int = 0
    failed: int = 0
    canceled: int = 0
    needs_review: int = 0
    stage: Stage = Stage.QUEUED
    current: str | None = None
    finisher: str | None = None
    finish_after: float = 0.0
    result_rel: str | None = None
    error: Json | None = None
    version: int = 1
    trace: Json | None = None

    @property
    def owner(self) -> Caller:
        """Whose job it is."""
        return Caller(self.owner_key_id, self.owner_role)

    @property
    def is_read(self) -> bool:
        """Whether no item is waiting or running any more."""
        return self.done + self.canceled >= self.total


@dataclass(frozen=True, slots=True)
class JobItem:
    """One document of a job. Times in Unix seconds.

    `attempts` counts starts and `deaths` those that ended with their worker. `history` lists the
    attempts that were made in vain. `ended` is the how-manieth of its job it was to end.
    """

    job_id: str
    number: int
    owner_key_id: str
    request_id: str
    status: Status = Status.QUEUED
    file: str | None = None
    input_ref: str | None = None
    error: Json | None = None
    run_after: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    deaths: int = 0
    worker_id: str | None = None
    history: Sequence[dict[str, Any]] = ()
    outcome: Json | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that a worker has taken, and its job at that moment."""

    job: Job
    item: JobItem


JOB_COLUMNS = tuple(field.name for field in fields(Job))
ITEM_COLUMNS = tuple(field.name for field in fields(JobItem))
_AS_JSON = frozenset({"options", "error", "history", "outcome", "trace"})


def as_text(value: Any) -> str | None:
    """JSON for a column: None stays NULL, Decimals keep their digits."""
    return None if value is None else dump(value).decode()


def to_row(entity: Job | JobItem) -> dict[str, Any]:
    """The columns of a row."""
    names = JOB_COLUMNS if isinstance(entity, Job) else ITEM_COLUMNS
    return columns({name: getattr(entity, name) for name in names})


def columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a job or an item as their columns hold them."""
    return {name: as_text(value) if name in _AS_JSON else value for name, value in values.items()}


def job_of(row: Mapping[Any, Any]) -> Job:
    """The job in a row with all columns."""
    values = _parsed(row)
    for name, kind in (("kind", Kind), ("owner_role", Role), ("status", Status), ("stage", Stage)):
        values[name] = kind(values[name])
    values["persist_inputs"] = bool(values["persist_inputs"])
    return Job(**values)


def item_of(row: Mapping[Any, Any]) -> JobItem:
    """The item in a row with all columns."""
    values = _parsed(row)
    values["status"] = Status(values["status"])
    values["history"] = values["history"] or ()
    return JobItem(**values)


def _parsed(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        name: load_stored(value.encode()) if name in _AS_JSON and value is not None else value
        for name, value in row.items()
    }

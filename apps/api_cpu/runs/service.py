"""Shows runs to those who may see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol

from apps.api_cpu.artifacts.service import ArtifactService
from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.cursors import cursor_at, position_of
from apps.api_cpu.errors import invalid, not_found
from apps.api_cpu.runs.export import items_as
from apps.api_cpu.runs.filters import EVERYTHING, Filter
from apps.api_cpu.runs.formats import Format
from apps.api_cpu.runs.store import Counts, RunIndex, StoredRun
from apps.api_cpu.wire import timestamp
from lib.domain.deadline import Deadline
from lib.domain.task import Task
from lib.errors import Error, Kind

Item = dict[str, Any]

_PAGE = 500
_GOING_ON = frozenset({"queued", "running"})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job of a run is: its status, and the items that have ended so far."""

    status: str
    counts: Counts


class RunJobs(Protocol):
    """The jobs that runs are."""

    def progress(self, job_id: str) -> Progress | None:
        """How far a job is; None where there is none (any more)."""
        ...

    def items(self, job_id: str, after: int) -> Iterator[tuple[int, Item]]:
        """The items that have ended, with their numbers from 1, after the `after`th."""
        ...


class RunService:
    """Looks runs up, also while they go on. Safe to share between threads."""

    def __init__(
        self,
        index: RunIndex,
        artifacts: ArtifactService,
        jobs: RunJobs,
        tasks: Mapping[str, Task],
    ) -> None:
        self._index = index
        self._artifacts = artifacts
        self._jobs = jobs
        self._tasks = tasks

    def page(
        self, caller: Caller, cursor: str | None, limit: int, wanted: Filter = EVERYTHING
    ) -> dict[str, Any]:
        """Runs, the newest first: the caller's own, for an admin those of every key.

        Raises `validation_error` for a cursor that this method did not give.
        """
        owner = None if caller.role is Role.ADMIN else caller.key_id
        found = self._index.page(owner, position_of(cursor), limit + 1, wanted)
        more = len(found) > limit
        last = found[limit - 1] if more else None
        return {
            "runs": [view for run in found[:limit] if (view := self._view(run)) is not None],
            "next_cursor": None if last is None else cursor_at((last.created_at, last.run_id)),
        }

    def every(self, caller: Caller, wanted: Filter) -> Iterator[dict[str, Any]]:
        """The runs of all pages, looked up as they are asked for."""
        cursor = None
        while True:
            page = self.page(caller, cursor, _PAGE, wanted)
            yield from page["runs"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def one(self, run_id: str, caller: Caller) -> dict[str, Any]:
        """A run without its items. Raises `not_found`."""
        view = self._view(self._find(run_id, caller))
        if view is None:
            raise not_found()
        return view

    def ended(self, run_id: str, caller: Caller) -> dict[str, Any]:
        """A run that goes on no longer. Raises `not_found`; `conflict` for one that does."""
        run = self.one(run_id, caller)
        if run["status"] in _GOING_ON:
            raise Error("conflict", Kind.CONFLICT, "The run has not ended yet.")
        return run

    def items(self, run_id: str, caller: Caller) -> Iterator[Item]:
        """The items that have ended, in the order of the request. Raises `not_found`."""
        return (item for _, item in self._numbered(self._find(run_id, caller), caller, 0))

    def items_page(
        self,
        run_id: str,
        caller: Caller,
        cursor: str | None,
        limit: int,
        wanted: Filter = EVERYTHING,
    ) -> dict[str, Any]:
        """A page of items. Raises `not_found`; `validation_error` for a cursor of another page."""
        page: list[Item] = []
        last = 0
        for number, item in self._numbered(self._find(run_id, caller), caller, _offset(cursor)):
            if wanted.matches(item):
                if len(page) == limit:
                    return {"items": page, "next_cursor": str(last)}
                page.append(item)
                last = number
        return {"items": page, "next_cursor": None}

    def export(
        self,
        run_id: str,
        caller: Caller,
        wanted: Filter,
        format: Format,
        sheet: str,
        deadline: Deadline,
    ) -> Iterator[bytes]:
        """All items that are wanted, as a file; `deadline` is for one that is made as a whole.

        Raises `not_found`, `validation_error`.
        """
        task = self._tasks.get(self._find(run_id, caller).task_id)
        items = filter(wanted.matches, self.items(run_id, caller))
        return items_as(format, items, task, sheet, deadline)

    def _find(self, run_id: str, caller: Caller) -> StoredRun:
        run = self._index.find(run_id)
        if run is None or not caller.may_see(run.owner_key_id):
            raise not_found()
        return run

    def _view(self, run: StoredRun) -> dict[str, Any] | None:
        """None for a run that never came to be: its server died before its job was sure."""
        progress = None if run.job_id is None else self._jobs.progress(run.job_id)
        counts = run.counts or (progress.counts if progress else None)
        if counts is None:
            return None
        return {
            "run_id": run.run_id,
            "created_at": timestamp(datetime.fromtimestamp(run.created_at, UTC)),
            "task_id": run.task_id,
            "status": progress.status if progress else _ended(counts),
            **asdict(counts),
            "artifact_rel": run.artifact_rel,
            "job_id": run.job_id,
        }

    def _numbered(self, run: StoredRun, caller: Caller, after: int) -> Iterator[tuple[int, Item]]:
        """From the job's rows, a few at a time; of a run without them, from its artifact."""
        if run.job_id is not None and self._jobs.progress(run.job_id) is not None:
            yield from self._jobs.items(run.job_id, after)
        elif run.counts is not None:
            items = self._artifacts.read(run.artifact_rel, caller)["items"]
            yield from islice(enumerate(items, start=1), after, None)


def _ended(counts: Counts) -> str:
    """The status of a run whose job is not kept any more."""
    return "canceled" if counts.canceled_count else "succeeded"


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 8):
        raise invalid("cursor", "is not one that was given")
    return int(cursor)

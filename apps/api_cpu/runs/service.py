"""Shows runs to those who may see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from apps.api_cpu.artifacts.service import ArtifactService
from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.errors import invalid, not_found
from apps.api_cpu.runs.export import items_as
from apps.api_cpu.runs.filters import EVERYTHING, Filter
from apps.api_cpu.runs.formats import Format
from apps.api_cpu.runs.store import RunIndex, StoredRun
from apps.api_cpu.wire import timestamp
from lib.domain.task import Task

_PAGE = 500


class RunService:
    """Looks runs up. A run that has not ended is not shown yet. Safe to share between threads."""

    def __init__(
        self, index: RunIndex, artifacts: ArtifactService, tasks: Mapping[str, Task]
    ) -> None:
        self._index = index
        self._artifacts = artifacts
        self._tasks = tasks

    def page(
        self, caller: Caller, cursor: str | None, limit: int, wanted: Filter = EVERYTHING
    ) -> dict[str, Any]:
        """Runs, the newest first: the caller's own, for an admin those of every key.

        Raises `validation_error` for a cursor that this method did not give.
        """
        owner = None if caller.role is Role.ADMIN else caller.key_id
        found = self._index.page(owner, _position(cursor), limit + 1, wanted)
        more = len(found) > limit
        last = found[limit - 1] if more else None
        return {
            "runs": [_view(run) for run in found[:limit]],
            "next_cursor": None if last is None else f"{last.created_at!r}:{last.run_id}",
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
        return _view(self._find(run_id, caller))

    def items(self, run_id: str, caller: Caller) -> list[dict[str, Any]]:
        """All items of a run, in the order of the request. Raises `not_found`."""
        run = self._find(run_id, caller)
        items: list[dict[str, Any]] = self._artifacts.read(run.artifact_rel, caller)["items"]
        return items

    def items_page(
        self,
        run_id: str,
        caller: Caller,
        cursor: str | None,
        limit: int,
        wanted: Filter = EVERYTHING,
    ) -> dict[str, Any]:
        """A page of items. Raises `not_found`; `validation_error` for a cursor of another page."""
        items = self.items(run_id, caller)
        page: list[dict[str, Any]] = []
        for number in range(_offset(cursor), len(items)):
            if wanted.matches(items[number]):
                if len(page) == limit:
                    return {"items": page, "next_cursor": str(number)}
                page.append(items[number])
        return {"items": page, "next_cursor": None}

    def export(
        self, run_id: str, caller: Caller, wanted: Filter, format: Format, sheet: str
    ) -> Iterator[bytes]:
        """All items that are wanted, as a file. Raises `not_found`, `validation_error`."""
        task = self._tasks.get(self._find(run_id, caller).task_id)
        items = filter(wanted.matches, self.items(run_id, caller))
        return items_as(format, items, task, sheet)

    def _find(self, run_id: str, caller: Caller) -> StoredRun:
        run = self._index.find(run_id)
        if run is None or run.counts is None or not caller.may_see(run.owner_key_id):
            raise not_found()
        return run


def _view(run: StoredRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "created_at": timestamp(datetime.fromtimestamp(run.created_at, UTC)),
        "task_id": run.task_id,
        **(asdict(run.counts) if run.counts else {}),
        "artifact_rel": run.artifact_rel,
    }


def _position(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    moment, _, run_id = cursor.partition(":")
    try:
        return float(moment), run_id
    except ValueError:
        raise invalid("cursor", "is not one that was given") from None


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 8):
        raise invalid("cursor", "is not one that was given")
    return int(cursor)

"""`GET /v1/tasks` and `GET /v1/tasks/{task_id}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.errors import not_found
from apps.api_cpu.openapi import errors
from apps.api_cpu.tasks.schemas import TaskList, TaskView, task_view
from lib.domain.task import Task

router = APIRouter(tags=["tasks"])


def _tasks(request: Request) -> Mapping[str, Task]:
    tasks: Mapping[str, Task] = request.app.state.tasks
    return tasks


Tasks = Annotated[Mapping[str, Task], Depends(_tasks)]


@router.get("/v1/tasks", summary="All tasks", responses=errors("unauthorized", "forbidden"))
def list_tasks(caller: ExtractCaller, tasks: Tasks) -> TaskList:
    """The extraction tasks and the JSON Schemas of their results."""
    return TaskList(tasks=[task_view(tasks[task_id]) for task_id in sorted(tasks)])


@router.get(
    "/v1/tasks/{task_id}",
    summary="One task",
    responses=errors("unauthorized", "forbidden", "not_found"),
)
def get_task(
    caller: ExtractCaller,
    tasks: Tasks,
    task_id: Annotated[str, Path(openapi_examples={"receipt": {"value": "receipt_fields_v1"}})],
) -> TaskView:
    """One task and the JSON Schema of its results."""
    task = tasks.get(task_id)
    if task is None:
        raise not_found()
    return task_view(task)

"""Wire shapes of the tasks."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.wire import WireShape
from lib.domain.task import DocumentType, FieldSpec, Task

_EXAMPLE: dict[str, Any] = {
    "id": "receipt_fields_v1",
    "description": "Fields of a receipt",
    "document_type": "receipt",
    "choices": [],
    "fields": [
        {
            "name": "total",
            "type": "money",
            "description": "Amount to pay",
            "business_term": "BT-112",
            "columns": [],
        }
    ],
    "schema": {"type": "object", "properties": {"total": {"type": ["number", "null"]}}},
}


class TaskField(WireShape):
    """One field of a task."""

    name: str
    type: str
    description: str
    business_term: str | None = Field(description="EN 16931 business term, where one exists.")
    columns: list[TaskField] = Field(description="The columns of a table; else empty.")


class TaskView(WireShape):
    """A task and the JSON Schema of its results."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    description: str
    document_type: DocumentType | None = Field(description="null for a task that chooses.")
    choices: list[str] = Field(description="The tasks that this one chooses between.")
    fields: list[TaskField]
    result_schema: dict[str, Any] | None = Field(
        alias="schema", description="JSON Schema of `result`; null for a task that chooses."
    )


class TaskList(WireShape):
    """All tasks."""

    tasks: list[TaskView]


def task_view(task: Task) -> TaskView:
    """A task as callers see it."""
    return TaskView(
        id=task.id,
        description=task.description,
        document_type=task.document_type,
        choices=[choice.id for choice in task.choices],
        fields=[_field(spec) for spec in task.fields],
        schema=None if task.choices else task.json_schema(),
    )


def _field(spec: FieldSpec) -> TaskField:
    return TaskField(
        name=spec.name,
        type=spec.type.value,
        description=spec.description,
        business_term=spec.business_term,
        columns=[_field(column) for column in spec.columns],
    )

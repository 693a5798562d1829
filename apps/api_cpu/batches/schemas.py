"""Wire shapes of a batch: what is asked for, and what came of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from apps.api_cpu.extractions.schemas import ReadingHints
from apps.api_cpu.request_context import REQUEST_ID_PATTERN
from apps.api_cpu.runs.schemas import ITEM_EXAMPLE, RUN_EXAMPLE, RunItem, RunView
from apps.api_cpu.wire import WireShape

MOST_ITEMS = 10_000
# As of `debug.model` of an extraction.
MODEL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}$"

REQUEST_EXAMPLES: dict[str, Any] = {
    "a folder": {"images_dir": "march", "glob": "**/*.jpg", "gt_ref": "march/truth.jsonl"},
    "stored inputs": {
        "task_id": "invoice_fields_v1",
        "items": [{"image_ref": f"inputs/2026-11-20/{'5e88489d' * 8}.pdf"}],
    },
}
RERUN_EXAMPLE: dict[str, Any] = {"run_id": "march", "only": "failed", "new_run_id": "march-2"}


class SharedOptions(ReadingHints):
    """What all documents of a batch share."""

    model_config = ConfigDict(extra="forbid")

    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Documents at once, up to what the server does; default: as many as that.",
    )
    model: str | None = Field(
        default=None,
        pattern=MODEL_PATTERN,
        description="Ask this served model instead of `VLLM_MODEL`; needs `debug:run`.",
    )
    callback_url: str | None = Field(
        default=None,
        max_length=2000,
        pattern=r"^https?://[^\s]+$",
        description="Is told when the job has ended (docs/jobs.md). Only asynchronous requests "
        "may have one.",
    )


class BatchItem(WireShape):
    """A document that was stored before."""

    model_config = ConfigDict(extra="forbid")

    image_ref: str = Field(max_length=300, description="An input stored with `persist_inputs`.")
    filename: str | None = Field(default=None, max_length=255, description="Shown as `file`.")


class BatchRequest(SharedOptions):
    """Exactly one of `items` and `images_dir`."""

    task_id: str = "auto"
    items: list[BatchItem] | None = Field(default=None, min_length=1, max_length=MOST_ITEMS)
    images_dir: str | None = Field(
        default=None, max_length=500, description="A folder below the server's `DATA_ROOT`."
    )
    glob: str = Field(default="**/*", max_length=200, description="Which files of `images_dir`.")
    limit: int | None = Field(
        default=None, ge=1, description="Only the first files; default: `BATCH_MAX_FILES`."
    )
    persist_inputs: bool = Field(
        default=False, description="Keep the documents, so that they can be read again."
    )
    run_id: str | None = Field(default=None, pattern=REQUEST_ID_PATTERN)
    gt_ref: str | None = Field(
        default=None,
        max_length=500,
        description="Ground truth (JSON lines, docs/evaluation.md) below `DATA_ROOT`; its `file` "
        "is an item's `file`. The run is evaluated against it.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.items is None) == (self.images_dir is None):
            raise ValueError("send exactly one of `items` and `images_dir`")
        return self


class UploadRequest(SharedOptions):
    """The form fields of an upload."""

    task_id: str = Field(default="auto", max_length=100)
    persist_inputs: bool = Field(
        default=False, description="Keep the documents, so that they can be read again."
    )
    run_id: str | None = Field(default=None, pattern=REQUEST_ID_PATTERN)


class UploadForm(UploadRequest):
    """The multipart body: `files`, and the options as form fields before or after them."""

    files: list[
        Annotated[bytes, Field(json_schema_extra={"type": "string", "format": "binary"})]
    ] = Field(description="A ZIP, judged by its bytes, counts as its members.")


class Only(StrEnum):
    """Which items of a run are read again."""

    ALL = "all"
    FAILED = "failed"
    NEEDS_REVIEW = "needs_review"


class RerunRequest(SharedOptions):
    """A finished run again."""

    run_id: str = Field(max_length=128)
    only: Only = Only.ALL
    task_id: str | None = Field(default=None, description="Default: the run's.")
    new_run_id: str | None = Field(default=None, pattern=REQUEST_ID_PATTERN)


class EvalSummary(WireShape):
    """The evaluation of a run, in short."""

    eval_id: str
    artifact_rel: str
    documents: int
    micro: dict[str, Any]


class BatchResponse(RunView):
    """A run with its items."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**RUN_EXAMPLE, "items": [ITEM_EXAMPLE], "eval": None}]}
    )

    items: list[RunItem]
    eval: EvalSummary | None = Field(
        description="Where `gt_ref` asked for one and it could be kept."
    )

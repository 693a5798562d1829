"""Wire shapes of an extraction: the request, and the response as the documentation shows it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from apps.api_cpu.request_context import REQUEST_ID_PATTERN
from apps.api_cpu.wire import WireShape
from lib.domain.date_order import DateOrder
from lib.domain.document import PageSource
from lib.domain.extraction import CheckStatus, Source
from lib.domain.task import DocumentType

_ID = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"
REQUEST_EXAMPLE: dict[str, Any] = {
    "task_id": "auto",
    "image_base64": "JVBERi0xLjcK",
    "filename": "invoice.pdf",
    "pages": "1-3",
    "currency_hint": "EUR",
    "date_order_hint": "DMY",
}
RESPONSE_EXAMPLE: dict[str, Any] = {
    "request_id": _ID,
    "created_at": "2026-11-20T09:30:00.000Z",
    "task_id": "receipt_fields_v1",
    "document_type": "receipt",
    "backend": "cpu",
    "model": "cpu",
    "result": {"vendor_name": "Corner Shop", "total": 19.9},
    "fields": {
        "total": {
            "value": 19.9,
            "raw": "19,90 EUR",
            "confidence": 0.97,
            "page": 1,
            "polygon": [[0.71, 0.52], [0.83, 0.52], [0.83, 0.54], [0.71, 0.54]],
            "source": "ocr",
            "engine": "cpu",
            "alternatives": [{"value": 1.99, "confidence": 0.02}],
        }
    },
    "schema_valid": True,
    "schema_errors": None,
    "checks": [
        {
            "rule": "total_is_subtotal_plus_tax",
            "status": "passed",
            "fields": ["total", "subtotal", "tax_total"],
            "message": "16.72 + 3.18 = 19.90",
        }
    ],
    "needs_review": False,
    "review_reasons": [],
    "pages": [{"number": 1, "width": 1240, "height": 1754, "rotation": 0, "source": "ocr"}],
    "warnings": [],
    "duplicates": [],
    "input_ref": None,
    "timings_ms": {"load": 3, "ocr": 610, "kie": 12, "post": 2, "store": 4, "total": 640},
    "artifact_rel": f"extracts/2026-11-20/{_ID}.json",
}

Number = int | float
Value = str | Number | None
PolygonOut = Annotated[
    list[tuple[float, float]],
    Field(min_length=4, max_length=4, description="Clockwise from the top left, in 0..1."),
]


class DebugOptions(WireShape):
    """Additions to the response; they need `debug:run`."""

    model_config = ConfigDict(extra="forbid")

    include_words: bool = Field(default=False, description="Add each page's words.")
    include_raw: bool = Field(
        default=False,
        description="Add the model's raw text; needs `debug:read_raw`. "
        "null where no model writes text: the embedded engine and e-invoices.",
    )
    model: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}$",
        description="Ask this served model instead of `VLLM_MODEL`.",
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Sample at this temperature, retries included."
    )

    @property
    def asks_for_anything(self) -> bool:
        """Whether any of it was asked for."""
        return self.include_words or self.include_raw or self.steers_model

    @property
    def steers_model(self) -> bool:
        """Whether it says how the model is asked."""
        return self.model is not None or self.temperature is not None


class ReadingHints(WireShape):
    """What is known about a document before it is read; for one, or for all of a batch."""

    language: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        description="Language of the document (BCP 47), if known.",
    )
    currency_hint: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{3}$",
        description="Currency (ISO 4217) where the document leaves it open.",
    )
    date_order_hint: DateOrder | None = Field(
        default=None, description="Order of numeric dates where the document leaves it open."
    )
    max_error_rate: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="Share of the answers, and of the documents, taken without review that may be "
        "wrong; what is less sure asks for review. docs/answers.md says what is guaranteed.",
    )


class ExtractOptions(ReadingHints):
    """What may be asked for, in JSON and as form fields alike."""

    model_config = ConfigDict(extra="forbid")

    task_id: str = Field(
        default="auto", max_length=100, description="`auto` picks receipt or invoice."
    )
    image_ref: str | None = Field(
        default=None, max_length=300, description="An input stored before with `persist_inputs`."
    )
    filename: str | None = Field(default=None, max_length=255, description="A hint only.")
    mime_type: str | None = Field(default=None, max_length=127, description="A hint only.")
    request_id: str | None = Field(
        default=None, pattern=REQUEST_ID_PATTERN, description="Goes before `X-Request-ID`."
    )
    persist_inputs: bool = Field(
        default=False, description="Keep the document, so that `input_ref` can name it again."
    )
    pages: str | None = Field(
        default=None, max_length=200, description="Pages to read, such as `1-3,5`; default all."
    )
    compare: bool = Field(
        default=False,
        description="Read the pages of an e-invoice as well and list where they differ from its "
        "XML; without effect on other documents.",
    )
    callback_url: str | None = Field(
        default=None,
        max_length=2000,
        pattern=r"^https?://[^\s]+$",
        description="Is told when the job has ended (docs/jobs.md). Only asynchronous requests "
        "may have one.",
    )
    debug: DebugOptions | None = None


class ExtractRequest(ExtractOptions):
    """The JSON body: exactly one of `image_base64` and `image_ref`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [REQUEST_EXAMPLE]})

    image_base64: str | None = Field(
        default=None, description="The document in standard base64 with padding, one line."
    )


class ExtractForm(ExtractOptions):
    """The multipart body: `file`, and the options as form fields; `debug` as JSON text."""

    file: Annotated[bytes, Field(json_schema_extra={"type": "string", "format": "binary"})]


class _Shown(WireShape):
    model_config = ConfigDict(extra="forbid")


class AlternativeOut(_Shown):
    """Another value that the document may mean."""

    value: Value
    confidence: float
    evidence: str | None = Field(
        default=None, description="How the text is read then, where it has several readings."
    )


class FieldOut(_Shown):
    """An answered field, with the place that it was read from."""

    value: Value = Field(
        description="null where nothing is answered, but `alternatives` lists what the text may "
        "mean (a `$` without a country), or what a model named that is not on the page."
    )
    raw: str = Field(description="As printed.")
    confidence: float = Field(ge=0, le=1)
    page: int | None = Field(description="null where the source has no place, such as XML.")
    polygon: PolygonOut | None
    source: Source
    engine: Literal["cpu", "vllm", "mock", "einvoice"] | None = Field(
        default=None, description="Who answered; null for a derived value."
    )
    alternatives: list[AlternativeOut]
    evidence: str | None = Field(
        default=None,
        description="How the text was read where it has several readings, and what decided.",
    )
    needs_review: bool | None = Field(
        default=None,
        description="Whether it is less sure than `max_error_rate` allows; null without that "
        "option, and for cells of tables.",
    )


class CheckOut(_Shown):
    """A rule across fields."""

    rule: str
    status: CheckStatus
    fields: list[str]
    message: str


class WordOut(_Shown):
    """A word as read."""

    text: str
    polygon: PolygonOut
    confidence: float


class PageOut(_Shown):
    """A page that was read."""

    number: int
    width: int
    height: int
    rotation: Literal[0, 90, 180, 270] = Field(description="Clockwise turn that made it upright.")
    source: PageSource
    words: list[WordOut] | None = Field(default=None, description="Only with `include_words`.")


class MismatchOut(_Shown):
    """A field that the page prints differently."""

    field: str
    xml: Value
    printed: FieldOut


class ComparisonOut(_Shown):
    """An e-invoice's XML beside its pages."""

    agreeing: list[str] = Field(description="Fields that the page confirms.")
    mismatches: list[MismatchOut]
    not_found: list[str] = Field(description="Fields that were not surely read from the page.")


class DuplicateOut(_Shown):
    """An earlier request with, as it seems, the same document."""

    request_id: str
    reason: Literal["same_bytes", "same_number", "same_number_amount_date", "same_text"] = Field(
        description="What speaks for it; `same_number` is of the same vendor."
    )
    score: float = Field(ge=0, le=1, description="1, or how alike the texts are.")


class ExtractResponse(_Shown):
    """What was read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [RESPONSE_EXAMPLE]})

    request_id: str
    created_at: str
    task_id: str = Field(description="The task that ran; of `auto`, the one that it chose.")
    document_type: DocumentType
    backend: Literal["cpu", "vllm", "mock", "einvoice"] = Field(
        description="`cpu` also where a model was not asked, or could not be: see `warnings`."
    )
    model: str
    result: dict[str, Value | list[dict[str, Value]]] = Field(
        description="Values only, in the task's schema; null where the document has none."
    )
    fields: dict[str, FieldOut] = Field(
        description="The answered fields; cells of tables as `line_items[0].amount`."
    )
    schema_valid: bool
    schema_errors: list[str] | None
    checks: list[CheckOut]
    needs_review: bool
    review_reasons: list[str]
    pages: list[PageOut]
    warnings: list[str]
    comparison: ComparisonOut | None = Field(
        default=None, description="Only for an e-invoice with pages, when `compare` asks for it."
    )
    duplicates: list[DuplicateOut] = Field(
        default_factory=list,
        description="Earlier requests of the same key that this document may be again.",
    )
    cached_from: str | None = Field(
        default=None,
        description="The extraction whose answer was given again; only where nothing was read, "
        "with `RESULT_CACHE_HOURS`.",
    )
    input_ref: str | None = Field(description="Where the document is kept, if it is.")
    timings_ms: dict[str, int] = Field(
        description="Per station; `kie` may lie within `model`. `store` is known only to the first "
        "answer, not to its artifact."
    )
    artifact_rel: str
    raw_model_text: str | None = Field(default=None, description="Only with `include_raw`.")


class Accepted(WireShape):
    """A job that will be run: whatever happens, it ends, and is recorded once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"job_id": _ID, "status": "queued", "poll_url": f"/v1/jobs/{_ID}"}]
        }
    )

    job_id: str
    status: Literal["queued"]
    poll_url: str

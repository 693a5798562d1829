"""What was read: ranked candidates first, then values with their places, checks and doubts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from lib.domain.date_order import DateOrder
from lib.domain.document import Page, Word
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, Task
from lib.domain.vendors import VendorBook

Value = str | Decimal
"""A value as it goes into JSON: money, numbers, percentages as Decimal; dates as ISO 8601 text."""

Row = Mapping[str, Value | None]
Result = Mapping[str, Value | tuple[Row, ...] | None]


class Source(StrEnum):
    """Where a value came from."""

    XML = "xml"
    TEXT_LAYER = "text_layer"
    OCR = "ocr"
    MODEL = "model"
    DERIVED = "derived"


_NO_VENDORS = VendorBook()


@dataclass(frozen=True, slots=True)
class Hints:
    """What the caller knows beforehand, and the day on which the document was received.

    `vendors` are those that the caller has met before. `max_error_rate`: the share of accepted
    answers, and of accepted documents, that may be wrong; None leaves that to the defaults.
    """

    received_on: date
    language: str | None = None
    currency: str | None = None
    date_order: DateOrder | None = None
    vendors: VendorBook = _NO_VENDORS
    max_error_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible raw value of a field.

    `raw` is the text as printed; `words` are the words it came from, all on page `page` (empty and
    0 for XML). `score` in 0..1 ranks candidates of one field and is not a probability.
    `value` is set only where the source is exact (XML). `label` is the printed label that spoke for
    it, if any. `reading`, when set, is what a model that saw the image reads in these words: the
    value is made of it instead of `raw`.
    """

    raw: str
    score: float
    source: Source
    page: int = 0
    words: tuple[Word, ...] = ()
    value: Value | None = None
    label: str = ""
    reading: str = ""


@dataclass(frozen=True, slots=True)
class ModelWeights:
    """What makes a served model's value likely to be right: a logistic of these, in logits.

    For values that were found on the page. The defaults are set by judgement, for models that have
    read no labelled documents; those of one that has come from scripts/fit_model_confidence.py.
    `score` already holds the model's own certainty, how well the words fit and whether the rules
    agree; the recogniser's doubt counts less than alone, since the model read the same letters in
    the picture.
    """

    bias: float = -1.2
    score: float = 3.6
    word_doubt: float = -2.0
    margin: float = 1.0
    confirmed: float = 1.2
    contradicted: float = -2.0
    text: float = -0.5
    repaired: float = -0.4
    ambiguous: float = -1.6


@dataclass(frozen=True, slots=True)
class RawExtraction:
    """What an extractor found: per field its candidates, best first; per table its rows in order.

    `task` is the one that was answered: for `auto`, its choice for this document; None where the
    source answers every task (an e-invoice). `doubts` are values that a model gave and that are not
    on the page: they are never answers. `lost_cells` counts those of each table. `model_weights`
    are those of the model that was asked.
    """

    document_type: DocumentType
    document_type_score: float
    fields: Mapping[str, tuple[Candidate, ...]]
    tables: Mapping[str, tuple[Mapping[str, Candidate], ...]]
    language: str | None = None
    warnings: tuple[str, ...] = ()
    task: Task | None = None
    doubts: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    lost_cells: Mapping[str, int] = field(default_factory=dict)
    model_weights: ModelWeights = ModelWeights()


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another value that the document may mean; `evidence`: how the text is read then, and why."""

    value: Value
    confidence: float
    raw: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class FieldValue:
    """An answered field: the value, its text and place, and how sure we are (calibrated, 0..1).

    `value` is None where there is no answer but a doubt: what a model said that is not on the page,
    or what the text may mean where nothing decides, is among the alternatives then. `evidence`: how
    the text is read where it has several readings, and what decides. `needs_review`: whether it is
    less sure than a wanted error rate allows; None without such a rate, and for cells of tables.
    """

    value: Value | None
    raw: str
    confidence: float
    source: Source
    page: int | None = None
    polygon: Polygon | None = None
    alternatives: tuple[Alternative, ...] = ()
    evidence: str = ""
    needs_review: bool | None = None


class CheckStatus(StrEnum):
    """How a check across fields ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule across fields; `message` shows its arithmetic."""

    rule: str
    status: CheckStatus
    fields: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Stations 6 and 7 together: values, checks and doubts, before pages and timings are added.

    `fields` is keyed by field name, table cells by `table[index].column`. `result` has every key of
    the task's schema.
    """

    document_type: DocumentType
    result: Result
    fields: Mapping[str, FieldValue]
    checks: tuple[Check, ...]
    needs_review: bool
    review_reasons: tuple[str, ...]
    schema_errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field of which the XML says `xml` and the printed page something else."""

    field: str
    xml: Value
    printed: FieldValue


@dataclass(frozen=True, slots=True)
class Comparison:
    """An e-invoice's XML beside its pages: names of fields, in the task's order."""

    agreeing: tuple[str, ...]
    mismatches: tuple[Mismatch, ...]
    not_found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extraction:
    """The whole answer for one document. `backend` is cpu, vllm, mock or einvoice.

    `comparison` only where it was asked for and the document has both XML and pages.
    """

    task_id: str
    backend: str
    model: str
    mime_type: str
    reading: Reading
    pages: tuple[Page, ...]
    page_count: int
    warnings: tuple[str, ...] = ()
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    comparison: Comparison | None = None

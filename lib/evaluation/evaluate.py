"""Predictions against ground truth: one evaluation over a set of documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from lib.domain.document import Page
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldType, Task
from lib.evaluation.confidence import Judgement
from lib.evaluation.line_items import LineItemScore, score_line_items
from lib.evaluation.outcome import Outcome, outcome
from lib.evaluation.tally import Score, Tally
from lib.evaluation.truth import TruthDocument


@dataclass(frozen=True, slots=True)
class Place:
    """Where on a page (from 1) a value stands."""

    page: int
    polygon: Polygon


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was answered for one document. A document that failed has an `error` and no result.

    `confidences` maps field names to 0..1, `places` to where the answers were read. `pages` are
    those that were read; without words where only their sizes and turns are known. `milliseconds`
    is the time for the whole document.
    """

    document_id: str
    document_type: DocumentType | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    confidences: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    page_count: int = 0
    milliseconds: float | None = None
    error: str | None = None

    @property
    def milliseconds_per_page(self) -> float | None:
        """Time per page; a document without pages (bare XML) counts as one."""
        return None if self.milliseconds is None else self.milliseconds / max(1, self.page_count)


@dataclass(frozen=True, slots=True)
class JudgedField:
    """A header field of a document that its truth judges, and how it ended."""

    document_id: str
    field: str
    truth: Any
    answer: Any
    confidence: float | None
    outcome: Outcome

    @property
    def is_mistake(self) -> bool:
        """Whether truth and answer do not agree exactly."""
        return self.outcome not in (Outcome.EXACT, Outcome.ABSENT)


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """The line items of a document whose truth judges them: all rows, true and answered."""

    document_id: str
    truth: tuple[Mapping[str, Any], ...]
    answer: tuple[Mapping[str, Any], ...]
    score: LineItemScore


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured. `judged` are header fields in the order of the truth, `rows` line items.

    `document_type` is right in `correct` of `judged` documents.
    """

    documents: int
    failed: int
    judged: tuple[JudgedField, ...]
    rows: tuple[JudgedRows, ...]
    document_type: Tally
    milliseconds_per_page: float | None
    milliseconds_per_document: float | None

    @property
    def fields(self) -> dict[str, Score]:
        """Per header field; line items stand apart."""
        scores: dict[str, Score] = {}
        for one in self.judged:
            scores[one.field] = scores.get(one.field, Score()) + one.outcome.score
        return scores

    @property
    def micro(self) -> Score:
        """All header fields together."""
        return sum((one.outcome.score for one in self.judged), Score())

    @property
    def line_items(self) -> LineItemScore | None:
        """All documents together; None where no document's rows are judged."""
        if not self.rows:
            return None
        return sum((rows.score for rows in self.rows), LineItemScore())

    def answers(self, *, relaxed: bool = False) -> tuple[Judgement, ...]:
        """One judgement for each answered, judged header field that states a confidence."""
        return tuple(
            Judgement(one.confidence, one.outcome.is_correct(relaxed=relaxed))
            for one in self.judged
            if one.confidence is not None and one.outcome.is_answer
        )

    @property
    def mistakes(self) -> tuple[JudgedField, ...]:
        """The header fields that do not agree exactly."""
        return tuple(one for one in self.judged if one.is_mistake)


def field_types(tasks: Iterable[Task]) -> dict[str, FieldType]:
    """The type of each header field over all tasks; the first task that has a name decides."""
    types: dict[str, FieldType] = {}
    for task in tasks:
        for spec in task.fields:
            types.setdefault(spec.name, spec.type)
    return types


def line_item_types(tasks: Iterable[Task]) -> dict[str, FieldType]:
    """The type of each column of `line_items` over all tasks; the first that has a name decides."""
    types: dict[str, FieldType] = {}
    for task in tasks:
        table = task.field("line_items")
        for column in table.columns if table else ():
            types.setdefault(column.name, column.type)
    return types


def evaluate(
    truths: Sequence[TruthDocument], predictions: Sequence[Prediction], tasks: Sequence[Task]
) -> Evaluation:
    """Compare each document's prediction with its truth.

    A truth without a prediction counts as one that failed. The tasks give the fields' types, hence
    the rules of comparison; a field that no task has is compared as text.
    """
    by_id = {prediction.document_id: prediction for prediction in predictions}
    pairs = [
        (truth, by_id.get(truth.id, Prediction(truth.id, error="missing"))) for truth in truths
    ]
    types, columns = field_types(tasks), line_item_types(tasks)
    timed = [prediction for _, prediction in pairs if prediction.milliseconds is not None]
    timed = [prediction for prediction in timed if prediction.error is None]
    per_page = [prediction.milliseconds_per_page or 0.0 for prediction in timed]
    per_document = [prediction.milliseconds or 0.0 for prediction in timed]
    return Evaluation(
        documents=len(pairs),
        failed=sum(prediction.error is not None for _, prediction in pairs),
        judged=tuple(one for pair in pairs for one in _judge_fields(*pair, types)),
        rows=tuple(one for pair in pairs for one in _judge_rows(*pair, columns)),
        document_type=sum((_score_type(*pair) for pair in pairs), Tally()),
        milliseconds_per_page=median(per_page) if per_page else None,
        milliseconds_per_document=median(per_document) if per_document else None,
    )


def _judge_fields(
    truth: TruthDocument, prediction: Prediction, types: Mapping[str, FieldType]
) -> Iterator[JudgedField]:
    for name, wanted in truth.fields.items():
        got = prediction.result.get(name)
        found = outcome(wanted, got, types.get(name, FieldType.STRING))
        yield JudgedField(truth.id, name, wanted, got, prediction.confidences.get(name), found)


def _judge_rows(
    truth: TruthDocument, prediction: Prediction, columns: Mapping[str, FieldType]
) -> Iterator[JudgedRows]:
    if truth.line_items is not None:
        rows = tuple(prediction.result.get("line_items") or ())
        scored = score_line_items(truth.line_items, rows, columns)
        yield JudgedRows(truth.id, truth.line_items, rows, scored)


def _score_type(truth: TruthDocument, prediction: Prediction) -> Tally:
    if truth.document_type is None:
        return Tally()
    answered = int(prediction.document_type is not None)
    return Tally(1, answered, int(prediction.document_type is truth.document_type))

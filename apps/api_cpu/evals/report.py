"""An evaluation as it is kept (the `evals/` artifact) and as it is shown (tables)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apps.api_cpu.evals.service import EvaluationRun
from apps.api_cpu.wire import timestamp
from lib.evaluation.confidence import (
    Coverage,
    Judgement,
    coverage_at,
    expected_calibration_error,
    reliability,
)
from lib.evaluation.evaluate import Evaluation, JudgedField, JudgedRows, Prediction
from lib.evaluation.outcome import Outcome
from lib.evaluation.tally import Score

COVERAGE_THRESHOLDS = (0.9, 0.95)


def artifact(
    run: EvaluationRun, eval_id: str, created_at: datetime, version: str, task_id: str
) -> dict[str, Any]:
    """The whole evaluation with every prediction and mistake; numbers stay Decimal."""
    found = run.evaluation
    return {
        "eval_id": eval_id,
        "created_at": timestamp(created_at),
        "version": version,
        "reader": run.reader,
        "task_id": task_id,
        "truth_sha256": run.truth.sha256,
        "documents": found.documents,
        "failed": found.failed,
        "unknown_fields": list(run.unknown_fields),
        "micro": found.micro.as_dict(),
        "fields": {name: score.as_dict() for name, score in found.fields.items()},
        "line_items": _line_items(found),
        "document_type": found.document_type.as_dict(),
        "vendors": {
            name: {"documents": part.documents, "micro": part.micro.as_dict()}
            for name, part in run.vendors.items()
        },
        "confidence": {
            "exact": _calibration(found.answers()),
            "relaxed": _calibration(found.answers(relaxed=True)),
        },
        "median_ms_per_page": found.milliseconds_per_page,
        "median_ms_per_document": found.milliseconds_per_document,
        "items": list(_items(run)),
    }


def _line_items(found: Evaluation) -> dict[str, Any] | None:
    if found.line_items is None:
        return None
    columns = found.line_items.columns.items()
    return {
        "rows": found.line_items.rows.as_dict(),
        "columns": {name: score.as_dict() for name, score in columns},
    }


def _calibration(judgements: Sequence[Judgement]) -> dict[str, Any]:
    return {
        "expected_calibration_error": expected_calibration_error(judgements),
        "coverage": [asdict(coverage_at(judgements, at)) for at in COVERAGE_THRESHOLDS],
        "reliability": [asdict(group) for group in reliability(judgements)],
    }


def _items(run: EvaluationRun) -> Iterator[dict[str, Any]]:
    judged: dict[str, list[JudgedField]] = {}
    for one in run.evaluation.judged:
        judged.setdefault(one.document_id, []).append(one)
    rows = {one.document_id: one for one in run.evaluation.rows}
    for document, prediction in zip(run.truth.documents, run.predictions, strict=True):
        fields = judged.get(document.id, [])
        yield {
            "id": document.id,
            "file": document.file,
            "vendor_known": document.vendor_known,
            "document_type": prediction.document_type,
            "error": prediction.error,
            "page_count": prediction.page_count,
            "ms": prediction.milliseconds,
            "result": _plain(prediction),
            "confidences": dict(prediction.confidences),
            "outcomes": {one.field: one.outcome for one in fields},
            "mistakes": [_mistake(one) for one in fields if one.is_mistake]
            + _row_mistakes(rows.get(document.id)),
        }


def _mistake(one: JudgedField) -> dict[str, Any]:
    return {
        "field": one.field,
        "truth": one.truth,
        "answer": one.answer,
        "relaxed": one.outcome is Outcome.RELAXED,
    }


def _row_mistakes(rows: JudgedRows | None) -> list[dict[str, Any]]:
    """One entry that holds all rows, true and answered, where they do not all agree exactly."""
    if rows is None or rows.score.rows.exact.is_perfect:
        return []
    return [
        {
            "field": "line_items",
            "truth": [dict(row) for row in rows.truth],
            "answer": [dict(row) for row in rows.answer],
            "relaxed": rows.score.rows.relaxed.is_perfect,
        }
    ]


def _plain(prediction: Prediction) -> Mapping[str, Any] | None:
    if prediction.error is not None:
        return None
    return {
        name: [dict(row) for row in value] if isinstance(value, tuple) else value
        for name, value in prediction.result.items()
    }


def tables(run: EvaluationRun) -> RenderableType:
    """What a person wants to see: figures per field, then one line each for the rest."""
    found = run.evaluation
    parts: list[RenderableType] = [_field_table(found)]
    if found.line_items is not None:
        parts.append(_score_table("line items", _line_item_rows(found), total=None))
    parts.extend(Text(line) for line in _facts(run))
    return Group(*parts)


def _field_table(found: Evaluation) -> Table:
    return _score_table("field", list(found.fields.items()), ("micro", found.micro))


def _line_item_rows(found: Evaluation) -> list[tuple[str, Score]]:
    if found.line_items is None:
        return []
    return [("whole rows", found.line_items.rows), *found.line_items.columns.items()]


def _score_table(
    heading: str, rows: Sequence[tuple[str, Score]], total: tuple[str, Score] | None
) -> Table:
    table = Table(show_footer=total is not None, box=SIMPLE_HEAD, pad_edge=False)
    footer = _cells(*total) if total else [""] * 7
    names = (heading, "n", "pred", "P", "R", "F1", "F1 rel")
    for name, bottom in zip(names, footer, strict=True):
        justify: Literal["left", "right"] = "left" if name == heading else "right"
        table.add_column(name, footer=bottom, justify=justify, no_wrap=True)
    for name, score in rows:
        table.add_row(*_cells(name, score))
    return table


def _cells(name: str, score: Score) -> list[str]:
    exact = score.exact
    rates = (exact.precision, exact.recall, exact.f1, score.relaxed.f1)
    return [name, str(exact.judged), str(exact.predicted), *map(_rate, rates)]


def _facts(run: EvaluationRun) -> Iterator[str]:
    found = run.evaluation
    kind = found.document_type
    yield f"documents {found.documents}, failed {found.failed}"
    for name, part in run.vendors.items():
        rates = f"{_rate(part.micro.exact.f1)} exact, {_rate(part.micro.relaxed.f1)} relaxed"
        yield f"  {name} vendors: {part.documents} documents, micro-F1 {rates}"
    for code, count in _errors(run.predictions).items():
        yield f"  {code}: {count}"
    yield f"document type right {kind.correct} of {kind.judged} ({_rate(kind.recall)})"
    error = expected_calibration_error(found.answers())
    yield f"calibration error (exact) {_rate(error)}"
    for at in COVERAGE_THRESHOLDS:
        yield "  " + _coverage(coverage_at(found.answers(), at))
    yield (
        f"median {_milliseconds(found.milliseconds_per_page)} a page, "
        f"{_milliseconds(found.milliseconds_per_document)} a document"
    )
    if run.unknown_fields:
        yield f"judged, but in no task: {', '.join(run.unknown_fields)}"


def _errors(predictions: Sequence[Prediction]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for prediction in predictions:
        if prediction.error is not None:
            counts[prediction.error] = counts.get(prediction.error, 0) + 1
    return counts


def _coverage(found: Coverage) -> str:
    return (
        f"confidence >= {found.threshold}: {_rate(found.coverage)} of {found.answered} answers, "
        f"{_rate(found.precision)} of them right"
    )


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"

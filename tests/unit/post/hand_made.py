"""Hand-made extractions: candidates with words on a page, and the shipped tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Candidate, Hints, RawExtraction, Reading, Source
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, Task
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASKS = load_tasks(Path(__file__).parents[3] / "configs" / "tasks")
Spec = str | tuple[str, float] | Candidate


def candidate(raw: str, score: float = 0.8, confidence: float = 0.98, row: int = 0) -> Candidate:
    """A candidate whose words lie side by side in row `row` of page 1."""
    words = tuple(Word(text, _cell(i, row), confidence) for i, text in enumerate(raw.split()))
    return Candidate(raw, score, Source.OCR, 1, words)


def _cell(column: int, row: int) -> Polygon:
    return Polygon.from_box(0.1 + 0.1 * column, 0.02 * row, 0.18 + 0.1 * column, 0.02 * row + 0.015)


def exact(value: str | Decimal) -> Candidate:
    """A value as an e-invoice gives it."""
    return Candidate(str(value), 1.0, Source.XML, value=value)


def page(*texts: str) -> Page:
    """A page with one line per text, words in columns."""
    lines = tuple(
        Line(tuple(Word(text, _cell(i, row), 0.97) for i, text in enumerate(line.split())))
        for row, line in enumerate(texts)
    )
    return Page(1, 1000, 1400, 0, PageSource.OCR, lines)


def _as_candidate(spec: Spec, rows: Iterator[int]) -> Candidate:
    """A candidate on a row of its own: no two are the same print."""
    if isinstance(spec, Candidate):
        return spec
    raw, score = (spec, 0.8) if isinstance(spec, str) else spec
    return candidate(raw, score, row=next(rows))


def _as_candidates(specs: Spec | list[Spec], rows: Iterator[int]) -> tuple[Candidate, ...]:
    return tuple(_as_candidate(s, rows) for s in (specs if isinstance(specs, list) else [specs]))


def read(
    fields: Mapping[str, Spec | list[Spec]],
    tables: Mapping[str, Sequence[Mapping[str, Spec]]] | None = None,
    *,
    texts: Sequence[str] = (),
    task: Task = TASKS["invoice_fields_v1"],
    language: str | None = None,
    **hints: object,
) -> Reading:
    """`finish` on candidates written as texts or (text, score) pairs."""
    rows = count()
    raw = RawExtraction(
        document_type=task.document_type or DocumentType.OTHER,
        document_type_score=0.9,
        fields={name: _as_candidates(specs, rows) for name, specs in fields.items()},
        tables={
            name: tuple({c: _as_candidate(s, rows) for c, s in row.items()} for row in table)
            for name, table in (tables or {}).items()
        },
        language=language,
    )
    known = {"received_on": date(2026, 1, 15), **hints}
    return finish(raw, task, (page(*texts),) if texts else (), Hints(**known))  # type: ignore[arg-type]

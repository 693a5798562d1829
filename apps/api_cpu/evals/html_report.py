"""An evaluation, or the comparison of two, as one HTML file that needs nothing but a browser."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from apps.api_cpu.evals.gallery import MOST_PER_FIELD, ShownMistake
from apps.api_cpu.evals.report import COVERAGE_THRESHOLDS
from apps.api_cpu.evals.service import EvaluationRun
from apps.api_cpu.wire import timestamp
from lib.evaluation.comparison import Comparison
from lib.evaluation.confidence import (
    Judgement,
    ReliabilityBin,
    RiskPoint,
    coverage_at,
    expected_calibration_error,
    reliability,
    risk_coverage,
)
from lib.evaluation.evaluate import Evaluation
from lib.evaluation.significance import Interval, wilson

_TEMPLATES = Path(__file__).parent / "templates"
_TIMES = (0.5, 0.9, 0.99, 1.0)
_LEAST_RISK_SHOWN = 0.02  # top of the risk axis when hardly anything is wrong
_MOST_POINTS = 300


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """A bin with the interval in which its true accuracy lies."""

    group: ReliabilityBin
    interval: Interval


def evaluation_page(
    run: EvaluationRun,
    eval_id: str,
    created_at: datetime,
    version: str,
    mistakes: Mapping[str, Sequence[ShownMistake]],
) -> str:
    """The report of one evaluation."""
    found = run.evaluation
    answers = found.answers()
    return (
        _environment()
        .get_template("evaluation.html.j2")
        .render(
            eval_id=eval_id,
            created_at=timestamp(created_at),
            version=version,
            run=run,
            found=found,
            fields=[_field_row(found, name) for name in found.fields],
            calibration_error=expected_calibration_error(answers),
            answers=len(answers),
            reliability=_reliability(answers),
            risk=_thinned(risk_coverage(answers)),
            risk_top=_risk_top(answers),
            coverages=[coverage_at(answers, at) for at in (0.8, *COVERAGE_THRESHOLDS, 0.99)],
            times=_times(run),
            errors=Counter(p.error for p in run.predictions if p.error),
            mistakes=mistakes,
            most_per_field=MOST_PER_FIELD,
        )
    )


def comparison_page(
    comparison: Comparison, a: Mapping[str, Any], b: Mapping[str, Any], rule: str
) -> str:
    """The report of two evaluations beside each other; `a` and `b` are their artifacts."""
    template = _environment().get_template("comparison.html.j2")
    return template.render(comparison=comparison, a=a, b=b, rule=rule)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["rate"] = _rate
    environment.filters["signed"] = lambda value: f"{value:+.3f}"
    return environment


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _field_row(found: Evaluation, name: str) -> dict[str, Any]:
    outcomes = Counter(one.outcome for one in found.judged if one.field == name)
    score = found.fields[name]
    return {
        "name": name,
        "score": score,
        "outcomes": outcomes,
        "recall": wilson(score.exact.correct, score.exact.judged),
    }


def _reliability(answers: Sequence[Judgement]) -> list[ReliabilityPoint]:
    points = []
    for group in reliability(answers):
        interval = wilson(round(group.accuracy * group.count), group.count)
        if interval:
            points.append(ReliabilityPoint(group, interval))
    return points


def _thinned(points: Sequence[RiskPoint]) -> Sequence[RiskPoint]:
    """At most `_MOST_POINTS`, the last among them."""
    step = max(1, math.ceil(len(points) / _MOST_POINTS))
    return [*points[:-1:step], *points[-1:]]


def _risk_top(answers: Sequence[Judgement]) -> float:
    """The top of the risk axis: the share of all answers that is wrong, a little rounded up."""
    wrong = sum(not judgement.correct for judgement in answers) / max(1, len(answers))
    return max(_LEAST_RISK_SHOWN, math.ceil(wrong * 50) / 50)


def _times(run: EvaluationRun) -> list[tuple[str, float]]:
    """Quantiles of the documents' milliseconds."""
    spent = sorted(p.milliseconds for p in run.predictions if p.milliseconds and not p.error)
    if not spent:
        return []
    names = ("median", "90th percentile", "99th", "longest")
    ranks = [max(0, math.ceil(share * len(spent)) - 1) for share in _TIMES]
    return [(name, spent[rank]) for name, rank in zip(names, ranks, strict=True)]

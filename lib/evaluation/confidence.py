"""Whether a stated confidence is kept: reliability bins, expected calibration error, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Judgement(NamedTuple):
    """One answered, judged field: how sure the reader was (0..1) and whether it was right."""

    confidence: float
    correct: bool


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The answers with `low` <= confidence < `high` (the last bin includes 1)."""

    low: float
    high: float
    count: int
    mean_confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of all answers, the share at or above a confidence, and how many of those are right."""

    threshold: float
    answered: int
    confident: int
    coverage: float | None
    precision: float | None


def reliability(judgements: Sequence[Judgement], bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Equal-width bins that hold at least one answer, lowest first."""
    members: list[list[Judgement]] = [[] for _ in range(bins)]
    for judgement in judgements:
        members[min(bins - 1, max(0, int(judgement.confidence * bins)))].append(judgement)
    return tuple(
        ReliabilityBin(
            low=index / bins,
            high=(index + 1) / bins,
            count=len(group),
            mean_confidence=sum(judgement.confidence for judgement in group) / len(group),
            accuracy=sum(judgement.correct for judgement in group) / len(group),
        )
        for index, group in enumerate(members)
        if group
    )


def expected_calibration_error(judgements: Sequence[Judgement], bins: int = 10) -> float | None:
    """Mean distance of confidence and accuracy over equal-width bins, weighted by their counts.

    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    None without answers.
    """
    if not judgements:
        return None
    return sum(
        group.count * abs(group.mean_confidence - group.accuracy)
        for group in reliability(judgements, bins)
    ) / len(judgements)


class RiskPoint(NamedTuple):
    """Accepting the most confident share `coverage` of all answers, `risk` of them are wrong."""

    coverage: float
    risk: float
    threshold: float


def risk_coverage(judgements: Sequence[Judgement]) -> tuple[RiskPoint, ...]:
    """A point for each stated confidence, from the highest down: what a threshold there accepts.

    El-Yaniv, Wiener, "On the Foundations of Noise-free Selective Classification", JMLR 2010.
    Answers of one confidence are accepted together.
    """
    ranked = sorted(judgements, key=lambda judgement: -judgement.confidence)
    points: list[RiskPoint] = []
    wrong = 0
    for rank, judgement in enumerate(ranked, start=1):
        wrong += not judgement.correct
        if rank == len(ranked) or ranked[rank].confidence < judgement.confidence:
            points.append(RiskPoint(rank / len(ranked), wrong / rank, judgement.confidence))
    return tuple(points)


def coverage_at(judgements: Sequence[Judgement], threshold: float) -> Coverage:
    """What accepting every answer at or above `threshold` without review would mean."""
    confident = [judgement for judgement in judgements if judgement.confidence >= threshold]
    return Coverage(
        threshold=threshold,
        answered=len(judgements),
        confident=len(confident),
        coverage=len(confident) / len(judgements) if judgements else None,
        precision=(
            sum(judgement.correct for judgement in confident) / len(confident)
            if confident
            else None
        ),
    )

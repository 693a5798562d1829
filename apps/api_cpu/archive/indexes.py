"""The indexes of everything that is kept, together."""

from __future__ import annotations

from dataclasses import dataclass

from apps.api_cpu.archive.store import ErasureIndex
from apps.api_cpu.artifacts.index import ArtifactIndex
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.runs.store import RunIndex


@dataclass(frozen=True, slots=True)
class Indexes:
    """All on one database."""

    artifacts: ArtifactIndex
    extracts: ExtractIndex
    corrections: CorrectionIndex
    runs: RunIndex
    erasures: ErasureIndex

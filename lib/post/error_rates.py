"""From which confidence on the accepted answers err at most at a wanted rate, with its guarantee.

The file `error_rates.json` is written by scripts/fit_confidence.py from answers to documents whose
vendors the fit had not seen; docs/answers.md says what is guaranteed and on what assumption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import inf

from lib.domain.extraction import Source
from lib.domain.task import DocumentType

FILE = "error_rates.json"


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Least confidences for each of `rates`, ascending; None where no threshold can promise it.

    `fields`: by `field/source`; `documents`: by document type, for the least sure key field.
    `assurance`: the probability, over the draw of the calibration documents, that a rate is kept.
    """

    assurance: float
    rates: tuple[float, ...]
    fields: Mapping[str, tuple[float | None, ...]]
    documents: Mapping[str, tuple[float | None, ...]]

    def of_field(self, name: str, source: Source, rate: float) -> float:
        """The least confidence at which an answer of the field is accepted; inf for never."""
        return (
            0.0 if source is Source.XML else self._least(self.fields.get(f"{name}/{source}"), rate)
        )

    def of_document(self, kind: DocumentType, rate: float) -> float:
        """The least confidence that every key field must have; inf for never."""
        return self._least(self.documents.get(kind), rate)

    def _least(self, thresholds: tuple[float | None, ...] | None, rate: float) -> float:
        """That of the largest rate of the table which is not above the wanted one."""
        kept = [t for r, t in zip(self.rates, thresholds or (), strict=False) if r <= rate + 1e-9]
        return inf if not kept or kept[-1] is None else kept[-1]


@cache
def shipped_error_rates() -> ErrorRates:
    """The table that is part of this package."""
    data = json.loads(files(__package__).joinpath(FILE).read_text("utf-8"))
    return ErrorRates(
        assurance=data["assurance"],
        rates=tuple(data["rates"]),
        fields={name: tuple(found) for name, found in data["fields"].items()},
        documents={name: tuple(found) for name, found in data["documents"].items()},
    )

"""Which mistakes a report shows, and with which pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.api_cpu.evals.crops import Crop, cut
from apps.api_cpu.evals.service import EvaluationRun
from lib.domain.source import DocumentLoader
from lib.domain.task import FieldType
from lib.evaluation.evaluate import JudgedField, Place, Prediction
from lib.evaluation.locate import locate

MOST_PER_FIELD = 12
_MOST_CHARACTERS = 6_000_000  # of all data URIs: a page that a telephone still opens
_SAME_PLACE = 0.5  # of the union: one picture shows both


@dataclass(frozen=True, slots=True)
class ShownMistake:
    """A mistake with its pictures: where the answer was read, where the truth stands."""

    mistake: JudgedField
    file: str
    crops: tuple[Crop, ...]


def gallery(
    run: EvaluationRun, types: Mapping[str, FieldType], loader: DocumentLoader | None
) -> dict[str, list[ShownMistake]]:
    """Per field its mistakes, the most confident first: those would have been believed.

    At most `MOST_PER_FIELD` a field. Without a loader, or where a document cannot be opened again,
    there are no pictures.
    """
    chosen: dict[str, list[JudgedField]] = {}
    for mistake in sorted(run.evaluation.mistakes, key=lambda m: -(m.confidence or 0.0)):
        of_field = chosen.setdefault(mistake.field, [])
        if len(of_field) < MOST_PER_FIELD:
            of_field.append(mistake)
    pictures = _pictures(run, chosen, types, loader) if loader else {}
    files = {document.id: document.file for document in run.truth.documents}
    order = [name for name in run.evaluation.fields if name in chosen]
    return {
        name: [
            ShownMistake(m, files[m.document_id], pictures.get((m.document_id, name), ()))
            for m in chosen[name]
        ]
        for name in order
    }


def _pictures(
    run: EvaluationRun,
    chosen: Mapping[str, list[JudgedField]],
    types: Mapping[str, FieldType],
    loader: DocumentLoader,
) -> dict[tuple[str, str], tuple[Crop, ...]]:
    """Each document is opened once, in the order of the truth, until there are enough pictures."""
    by_document: dict[str, list[JudgedField]] = {}
    for mistakes in chosen.values():
        for mistake in mistakes:
            by_document.setdefault(mistake.document_id, []).append(mistake)
    found: dict[tuple[str, str], tuple[Crop, ...]] = {}
    characters = 0
    for document, prediction in zip(run.truth.documents, run.predictions, strict=True):
        mistakes = by_document.get(document.id, [])
        places = [_places(mistake, prediction, types) for mistake in mistakes]
        if not any(places) or characters > _MOST_CHARACTERS:
            continue
        crops = cut(loader, run.truth.folder / document.file, prediction, places)
        for mistake, of_mistake in zip(mistakes, crops, strict=True):
            found[document.id, mistake.field] = tuple(of_mistake)
            characters += sum(len(crop.uri) for crop in of_mistake)
    return found


def _places(
    mistake: JudgedField, prediction: Prediction, types: Mapping[str, FieldType]
) -> dict[str, Place]:
    answer = prediction.places.get(mistake.field) if mistake.answer is not None else None
    places = {"answer": answer} if answer else {}
    if mistake.truth is not None:
        kind = types.get(mistake.field, FieldType.STRING)
        truth = locate(mistake.truth, kind, prediction.pages)
        if truth and not (answer and _overlap(answer, truth) > _SAME_PLACE):
            places["truth"] = truth
    return places


def _overlap(a: Place, b: Place) -> float:
    """Intersection over union of two places' boxes; 0 on different pages."""
    if a.page != b.page:
        return 0.0
    p, q = a.polygon, b.polygon
    wide, high = min(p.x1, q.x1) - max(p.x0, q.x0), min(p.y1, q.y1) - max(p.y0, q.y0)
    if wide <= 0 or high <= 0:
        return 0.0
    areas = (p.x1 - p.x0) * (p.y1 - p.y0) + (q.x1 - q.x0) * (q.y1 - q.y0)
    return wide * high / (areas - wide * high)

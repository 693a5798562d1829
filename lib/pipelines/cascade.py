"""Which fields of a reading are doubtful enough to ask a model, and which parts of which pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lib.domain.document import Page, Word
from lib.domain.extraction import CheckStatus, RawExtraction, Reading
from lib.domain.geometry import Polygon, bounding_polygon
from lib.domain.page_images import WHOLE_PAGE
from lib.domain.task import FieldSpec, FieldType, Task
from lib.kie.models.sight import View

_CANDIDATES = 4  # of a field, the likeliest: where they stand is where to look
_MARGIN = 0.06  # of the page's height above and below: labels stand beside, wrapped lines below
_ALMOST_WHOLE = 0.6  # of the page's height: from there the whole page is shown
_HEAD = Polygon.from_box(0, 0, 1, 0.45)  # where parties, numbers and dates stand
_SUMS = frozenset({FieldType.MONEY, FieldType.PERCENT, FieldType.TABLE, FieldType.CURRENCY})
_ASKED_FOR = ("missing:", "low_confidence:")


def doubtful_fields(reading: Reading, task: Task, below: float) -> tuple[FieldSpec, ...]:
    """The fields and tables that a second reader should look at, in the task's order.

    Those that were answered with less confidence than `below`, that a failed check names, and those
    without which the document cannot be booked and that were not found. What the rules left empty
    otherwise is usually not printed, and not asked for.
    """
    names = {
        reason.removeprefix(prefix)
        for reason in reading.review_reasons
        for prefix in _ASKED_FOR
        if reason.startswith(prefix)
    }
    names |= {
        name
        for name, field in reading.fields.items()
        if field.confidence < below and "[" not in name
    }
    for check in reading.checks:
        if check.status is CheckStatus.FAILED:
            names |= {name.partition("[")[0] for name in check.fields}
    return tuple(spec for spec in task.fields if spec.name in names)


def views_of(
    fields: Sequence[FieldSpec], raw: RawExtraction, pages: Sequence[Page]
) -> tuple[View, ...]:
    """The parts of pages that show what these fields may be, a part a page, in page order.

    A part is as wide as its page, since labels stand beside their values. A field of which nothing
    was found is looked for where its kind usually stands: sums anywhere on the last page, the rest
    in the upper part of the first.
    """
    if not pages:
        return ()
    parts: dict[int, list[Polygon]] = {}
    for spec in fields:
        places = list(_places(spec, raw))
        if not places:
            sums = spec.type in _SUMS
            places = [(pages[-1 if sums else 0].number, WHOLE_PAGE if sums else _HEAD)]
        for number, part in places:
            parts.setdefault(number, []).append(part)
    return tuple(View(page, _band(parts[page.number])) for page in pages if parts.get(page.number))


def _places(spec: FieldSpec, raw: RawExtraction) -> Iterable[tuple[int, Polygon]]:
    """Where the likeliest candidates of a field stand; of a table, all of its cells."""
    if spec.type is FieldType.TABLE:
        candidates = [cell for row in raw.tables.get(spec.name, ()) for cell in row.values()]
    else:
        candidates = list(raw.fields.get(spec.name, ())[:_CANDIDATES])
    by_page: dict[int, list[Word]] = {}
    for candidate in candidates:
        by_page.setdefault(candidate.page, []).extend(candidate.words)
    for number, words in by_page.items():
        if words:
            yield number, bounding_polygon(word.polygon for word in words)


def _band(parts: Sequence[Polygon]) -> Polygon:
    """One band of the page around all parts, with a margin; the whole page when that is most."""
    box = bounding_polygon(parts)
    band = Polygon.from_box(0, box.y0 - _MARGIN, 1, box.y1 + _MARGIN)
    return WHOLE_PAGE if band.y1 - band.y0 >= _ALMOST_WHOLE else band

"""An e-invoice's XML beside its printed page: what agrees, what differs, what was not found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lib.domain.document import Page
from lib.domain.extraction import Comparison, Extraction, FieldValue, Mismatch, Reading
from lib.domain.task import FieldSpec, FieldType, Task
from lib.domain.text_keys import letters_and_digits
from lib.evaluation.compare import agree

# A printed value that is read less surely than this says nothing against the XML.
_SURE = 0.8
# An address may be printed in another order and with more lines than the XML has.
_ADDRESS_SHARE = 0.8

_LINE_ITEMS = "line_items"


def compare(task: Task, xml: Reading, printed: Reading, pages: Sequence[Page]) -> Comparison:
    """Every value of the XML against what was read from the pages.

    A value agrees when the page's reading is the same, or when it is on the page as text. It
    differs when the page surely says something else. Otherwise it was not found, which is no
    contradiction. Line items are compared by their amounts, in whatever order.
    """
    text = letters_and_digits("".join(word.text for page in pages for word in page.words))
    agreeing: list[str] = []
    mismatches: list[Mismatch] = []
    not_found: list[str] = []
    for spec in task.fields:
        value = xml.fields.get(spec.name)
        if value is None or value.value is None:
            continue
        seen = printed.fields.get(spec.name)
        if _agrees(spec, value, seen, text):
            agreeing.append(spec.name)
        elif seen is None or seen.confidence < _SURE:
            not_found.append(spec.name)
        else:
            mismatches.append(Mismatch(spec.name, value.value, seen))
    if task.field(_LINE_ITEMS) and (wanted := _amounts(xml)):
        (agreeing if wanted == _amounts(printed) else not_found).append(_LINE_ITEMS)
    return Comparison(tuple(agreeing), tuple(mismatches), tuple(not_found))


def compared(
    exact: Extraction, task: Task, printed: Reading, pages: tuple[Page, ...]
) -> Extraction:
    """The XML's answer with its comparison.

    What agrees gets its place on the page, what differs is a reason for review.
    """
    comparison = compare(task, exact.reading, printed, pages)
    fields = dict(exact.reading.fields)
    for name in comparison.agreeing:
        seen = printed.fields.get(name)
        if name in fields and seen is not None:
            fields[name] = replace(fields[name], page=seen.page, polygon=seen.polygon)
    doubts = tuple(f"page_differs:{mismatch.field}" for mismatch in comparison.mismatches)
    reading = replace(
        exact.reading,
        fields=fields,
        needs_review=exact.reading.needs_review or bool(doubts),
        review_reasons=(*exact.reading.review_reasons, *doubts),
    )
    return replace(exact, reading=reading, pages=pages, comparison=comparison)


def _agrees(spec: FieldSpec, value: FieldValue, seen: FieldValue | None, text: str) -> bool:
    readings = () if seen is None else (seen.value, *(a.value for a in seen.alternatives))
    if any(agree(value.value, reading, spec.type).relaxed for reading in readings):
        return True
    match spec.type:
        case FieldType.ADDRESS:
            parts = [key for part in str(value.value).split() if (key := letters_and_digits(part))]
            found = sum(len(part) for part in parts if part in text)
            return found >= _ADDRESS_SHARE * sum(map(len, parts))
        case FieldType.MONEY | FieldType.NUMBER | FieldType.PERCENT | FieldType.DATE:
            return False
        case _:
            key = letters_and_digits(str(value.value))
            return bool(key) and key in text


def _amounts(reading: Reading) -> Sequence[object]:
    rows = reading.result.get(_LINE_ITEMS)
    if not isinstance(rows, tuple):
        return ()
    amounts = (row.get("amount") for row in rows if isinstance(row, Mapping))
    return sorted(str(amount) for amount in amounts if amount is not None)

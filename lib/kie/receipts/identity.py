"""When, under which number, and how to reach the vendor: dates, times and numbers of a receipt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from lib.domain.extraction import Candidate, Hints
from lib.kie.classify import named_types
from lib.kie.layout import Cell, Span
from lib.kie.mentions import DateMention, LabelMention, Mentions
from lib.kie.ranking import ranked, weigh
from lib.kie.receipts.phones import PHONE_NAMES, printed_phones, with_area_code
from lib.values.identifiers import IdentifierMatch, find_tax_ids

# Set by hand: receipts rarely show more than two dates, so labels and the time of day decide.
DATE_WEIGHTS = {
    "label": 2.5,
    "label above": 1.5,
    "label of another date": -3.0,
    "time beside": 1.0,
    "time near": 0.4,
    "year in full": 0.5,
    "repeated": 0.4,
    "after receipt of the document": -3.0,
    "months before receipt of the document": -0.01,
    "order": -0.15,
}
NO_DATE = -2.0
TIME_WEIGHTS = {
    "label": 1.5,
    "beside the date": 2.5,
    "near the date": 1.0,
    "range of hours": -3.0,
    "order": -0.1,
}
NO_TIME = -1.0
PHONE_WEIGHTS = {
    "label": 2.5,
    "label of another number": -4.0,
    "head": 1.5,
    "order": -0.3,
    "grouped": 1.0,
    "area code": 1.0,
    "long": -3.0,
    "bare digits": -1.5,
    "alone in its line": 0.5,
    "confirmed": 0.5,
}
NO_PHONE = 1.2
TAX_ID_WEIGHTS = {
    "label": 2.5,
    "label of another number": -2.5,
    "confirmed": 1.5,
    "country known": 0.5,
    "order": -0.2,
}
NO_TAX_ID = 1.0
NUMBER_WEIGHTS = {
    "label score": 2.0,
    "named as the document": 1.0,
    "title only": -0.7,
    "right of the label": 1.0,
    "digits": 0.1,
    "order": -0.15,
}
NO_NUMBER = 1.0

_OTHER_DATES = frozenset({"due_date", "delivery_date", "not_issue_date", "period"})
_NUMBER = re.compile(r"[#№]?\s?((?=[^\s]*\d)[A-Za-z0-9][A-Za-z0-9\-/._#]*[A-Za-z0-9]|\d)")
_SIGN = r"(?:(?i:n[°ºro.]|nr|nro|num|núm)\.?|№|#)"
_OWN_NUMBER = (
    r"((?:[A-Z]{1,4} (?=\S*/))?(?=\S*\d\d)(?!\d+[.,]\d\d(?:\s|$))[A-Z0-9][\w\-/.]*\w)(?=\s|$)"
)
_TITLE_NUMBER = re.compile(rf"(?:(?: [^\W\d_]+){{0,2}}\s*{_SIGN})?\s*[:.]?\s*{_OWN_NUMBER}")
_LONE_NUMBER = re.compile(rf"(?:{_SIGN}\s*[:.]?)?\s*{_OWN_NUMBER}$")
_SIGNED_NUMBER = re.compile(rf"\s*{_SIGN}\s*[:.]?\s*{_OWN_NUMBER}")
# Post codes of Brazil and Portugal, and numbers of documents with a check digit behind a hyphen: no
# phone number is grouped so.
_NO_PHONE_GROUPS = re.compile(r"\d{4,5}-\d{3}|\d{2,}-\d{4,}-\d")
_SHORT_LABEL = re.compile(r"(?:^|[\s(])(?:[PT]\)?|[Pp]h|[Tt]f|H/P)[.:]?\s*$")
_FAX_LABEL = re.compile(r"(?:^|[\s(])(?:F|[Ff]x|FX)[.:]?\s*$")
_AREA_CODE = re.compile(r"\(0?\d{2,4}\)|^\+|^0\d{1,4}[\s\-/]|^\d{3}[-. ]\d{3}[-. ]\d{4}$")
_HEAD_SHARE = 0.45
_BESIDE_PHONES = frozenset({"contact_details", "street", "legal_form"})


def _ranked(found: Sequence[tuple[float, Candidate]], none: float) -> tuple[Candidate, ...]:
    """Candidates with their share of belief as score; the same text counts once."""
    order = ranked([(candidate.raw, score) for score, candidate in found], none)
    return tuple(replace(found[index][1], score=share) for index, share in order[:5])


def find_issue_date(mentions: Mentions, hints: Hints) -> tuple[Candidate, ...]:
    """Candidates for the day of purchase; `raw` is the date as printed, its order left open."""
    values = Counter(r.value for d in mentions.all_dates for r in d.match.readings)
    timed = {t.span.cell.row for t in mentions.all_times}
    found = []
    for order, mention in enumerate(mentions.all_dates):
        names, above = _label_names(mentions, mention.span)
        if not above and _has_value_between(mentions, mention.span):
            names -= _OTHER_DATES
        row = mention.span.cell.row
        ages = [(hints.received_on - r.value).days for r in mention.match.readings]
        features = {
            "label": float("issue_date" in names and not above),
            "label above": float("issue_date" in names and above),
            "label of another date": float(bool(names & _OTHER_DATES)),
            "time beside": float(row in timed),
            "time near": float(bool({row - 1, row + 1} & timed)),
            "year in full": float(bool(re.search(r"(?:19|20)\d\d", mention.span.text))),
            "repeated": max(values[r.value] for r in mention.match.readings) - 1.0,
            "after receipt of the document": float(all(age < -1 for age in ages)),
            "months before receipt of the document": min(120.0, max(0, min(ages)) / 30),
            "order": float(min(order, 8)),
        }
        candidate = mentions.candidate([mention.span], 0.0, " ".join(sorted(names)))
        found.append((weigh(features, DATE_WEIGHTS), candidate))
    return _ranked(found, NO_DATE)


def find_issue_time(mentions: Mentions, date: Candidate | None) -> tuple[Candidate, ...]:
    """Candidates for the time of purchase, nearest to the chosen date."""
    rows = {
        d.span.cell.row
        for d in mentions.all_dates
        if date is not None and d.span.words[:1] == date.words[:1]
    }
    per_row = Counter(t.span.cell.row for t in mentions.all_times)
    found = []
    for order, mention in enumerate(mentions.all_times):
        names, _ = _label_names(mentions, mention.span)
        row = mention.span.cell.row
        features = {
            "label": float("issue_time" in names),
            "beside the date": float(row in rows),
            "near the date": float(bool({row - 1, row + 1} & rows)),
            "range of hours": float(per_row[row] > 1 and row not in rows),
            "order": float(min(order, 8)),
        }
        found.append((weigh(features, TIME_WEIGHTS), mentions.candidate([mention.span], 0.0)))
    return _ranked(found, NO_TIME)


def find_vendor_phone(mentions: Mentions) -> tuple[Candidate, ...]:
    """Candidates for the vendor's phone number."""
    taken = [d.span for d in mentions.all_dates]
    taken += [a.span for a in mentions.all_amounts if a.is_money and a.match.decimals == 2]
    found = []
    for order, (span, match) in enumerate(printed_phones(mentions)):
        if _overlaps(span, taken) or not 7 <= sum(map(str.isdigit, span.text)) <= 15:
            continue
        names = _names_before(mentions, span)
        if _NO_PHONE_GROUPS.fullmatch(span.text) and "vendor_phone" not in names:
            continue
        before, rest = (
            span.cell.text[: span.start],
            span.cell.text[: span.start] + span.cell.text[span.end :],
        )
        groups = re.findall(r"\d+", span.text)
        labelled = bool(names & PHONE_NAMES) or bool(_SHORT_LABEL.search(before))
        other = bool(names - _BESIDE_PHONES) or bool(_FAX_LABEL.search(before))
        features = {
            "label": float(labelled),
            "label of another number": float(other and not labelled),
            "head": float(_depth(mentions, span.cell) < _HEAD_SHARE),
            "order": float(min(order, 8)),
            "grouped": float(1 < len(groups) <= 5 and max(map(len, groups)) <= 8),
            "area code": float(bool(_AREA_CODE.search(span.text))),
            "long": float(sum(map(len, groups)) > 12 and "+" not in span.text),
            "bare digits": float(len(groups) == 1 and len(groups[0]) not in (10, 11)),
            "alone in its line": float(sum(map(str.isalpha, rest)) < 3),
            "confirmed": float(match.valid),
        }
        spans = with_area_code(mentions, span)
        found.append((weigh(features, PHONE_WEIGHTS), mentions.candidate(spans, 0.0)))
    return _ranked(found, NO_PHONE)


def find_vendor_tax_id(mentions: Mentions) -> tuple[Candidate, ...]:
    """Candidates for the vendor's tax number."""
    found = []
    for order, (cell, match) in enumerate(_identifiers(mentions, find_tax_ids)):
        span = Span(cell, match.start, match.end)
        names, _ = _label_names(mentions, span, reach_above=False)
        features = {
            "label": float("vendor_tax_id" in names),
            "label of another number": float(
                bool(names) and not names & {"vendor_tax_id", "tax_total", "tax"}
            ),
            "confirmed": float(match.valid),
            "country known": float(match.country is not None),
            "order": float(min(order, 8)),
        }
        found.append((weigh(features, TAX_ID_WEIGHTS), mentions.candidate([span], 0.0)))
    return _ranked(found, NO_TAX_ID)


def find_document_number(mentions: Mentions) -> tuple[Candidate, ...]:
    """Candidates for the receipt's number: what follows its label or stands under it."""
    found = []
    labels = [
        label
        for cell in mentions.layout.cells
        for label in mentions.labels(cell)
        if "document_number" in label.match.fields
    ]
    dates = _places(mentions.all_dates)
    for order, label in enumerate(labels):
        for span, right in _values_of(mentions, label):
            if any(_within(span, date) for date in dates):
                continue
            features = {
                "label score": label.match.score,
                "named as the document": float(bool(named_types(mentions.lexicon, label.match))),
                "right of the label": float(right),
                "digits": float(min(12, sum(map(str.isdigit, span.text)))),
                "order": float(min(order, 8)),
            }
            candidate = mentions.candidate([span], 0.0, label.span.text)
            found.append((weigh(features, NUMBER_WEIGHTS), candidate))
            break
    for order, (span, title) in enumerate(_behind_titles(mentions)):
        if not any(_overlaps(span, [date]) for date in dates):
            features = {
                "label score": title.match.score,
                "named as the document": 1.0,
                "title only": 1.0,
                "right of the label": 1.0,
                "digits": float(min(12, sum(map(str.isdigit, span.text)))),
                "order": float(min(order, 8)),
            }
            candidate = mentions.candidate([span], 0.0, title.span.text)
            found.append((weigh(features, NUMBER_WEIGHTS), candidate))
    return _ranked(found, NO_NUMBER)


def _behind_titles(mentions: Mentions) -> Iterator[tuple[Span, LabelMention]]:
    """Numbers right behind what the paper is called, or behind a number sign below it."""
    for row in mentions.layout.rows:
        for title in mentions.row_labels(row):
            if not title.match.document_types:
                continue
            cell = title.span.cell
            right = row.cells_right_of(cell)[:1]
            below = mentions.layout.below(title.span.box, row.index, reach=1)
            for text, start, pattern in (
                (cell, title.span.end, _TITLE_NUMBER),
                *((other, 0, _LONE_NUMBER) for other in right),
                *((other, 0, _SIGNED_NUMBER) for other in below),
            ):
                if match := pattern.match(text.text, start):
                    yield Span(text, match.start(1), match.end(1)), title
                    break


def _within(span: Span, other: Span) -> bool:
    """Whether a span lies inside another of the same cell."""
    return other.cell is span.cell and other.start <= span.start and span.end <= other.end


def _values_of(mentions: Mentions, label: LabelMention) -> Iterator[tuple[Span, bool]]:
    """Number-like texts right of a label, then under it; the flag says right."""
    cell = label.span.cell
    row = mentions.layout.row_of(cell)
    right = [Span(cell, label.span.end, len(cell.text))]
    right += [other.span for other in row.cells_right_of(cell)[:2]]
    for span in right:
        if match := _NUMBER.search(span.text):
            start = span.start + match.start(1)
            yield Span(span.cell, start, start + len(match[1])), True
        if any(map(str.isalpha, span.text)):
            break
    for other in mentions.layout.below(label.span.box, row.index, reach=1):
        if (match := _NUMBER.search(other.text)) and not mentions.labels(other):
            yield Span(other, match.start(1), match.end(1)), False


def _identifiers(
    mentions: Mentions, find: Callable[[str], Iterable[IdentifierMatch]]
) -> Iterator[tuple[Cell, IdentifierMatch]]:
    for cell in mentions.layout.cells:
        if sum(map(str.isdigit, cell.text)) >= 6:
            for match in find(cell.text):
                yield cell, match


def _label_names(
    mentions: Mentions, span: Span, *, reach_above: bool = True
) -> tuple[frozenset[str], bool]:
    """Names of the label nearest left of a span, else close above it; and whether above."""
    row = mentions.layout.row_of(span.cell)
    before = [
        label
        for label in mentions.row_labels(row)
        if (label.span.cell.column, label.span.start) < (span.cell.column, span.start)
    ]
    if before:
        return _names(before[-1]), False
    if reach_above:
        for cell in mentions.layout.above(span.box, row.index, reach=1):
            if (labels := mentions.labels(cell)) and not any(map(str.isdigit, cell.text)):
                return _names(labels[-1]), True
    return frozenset(), False


def _has_value_between(mentions: Mentions, date: Span) -> bool:
    """Whether a number that is no date stands between a date and the label left of it.

    It is the label's value then: "Contract 4418  Till 3  12/02/26".
    """
    row = mentions.layout.row_of(date.cell)
    labels = [
        label
        for label in mentions.row_labels(row)
        if (label.span.cell.column, label.span.start) < (date.cell.column, date.start)
    ]
    if not labels:
        return False
    label = labels[-1].span
    between = [
        Span(
            cell,
            label.end if cell is label.cell else 0,
            date.start if cell is date.cell else len(cell.text),
        )
        for cell in row.cells[label.cell.column : date.cell.column + 1]
    ]
    dates = [d.span for cell in row.cells for d in mentions.dates(cell)]
    times = [t.span for t in mentions.all_times if t.span.cell.row == row.index]
    return any(any(c.isdigit() for c in _without(span, [*dates, *times])) for span in between)


def _without(span: Span, others: Iterable[Span]) -> str:
    """A span's text without the parts of it that others cover."""
    letters = [
        letter
        for offset, letter in enumerate(span.text, span.start)
        if not any(o.cell is span.cell and o.start <= offset < o.end for o in others)
    ]
    return "".join(letters)


def _names_before(mentions: Mentions, span: Span) -> frozenset[str]:
    """Names of the labels of a number: "Tel / Fax: 123" has two; else of the label left of it."""
    digits = [i for i, c in enumerate(span.cell.text[: span.start]) if c.isdigit()]
    since = digits[-1] if digits else -1
    own = [la for la in mentions.labels(span.cell) if since < la.span.start < span.start]
    names = frozenset(name for label in own for name in _names(label))
    return names or _label_names(mentions, span, reach_above=False)[0]


def _names(label: LabelMention) -> frozenset[str]:
    return label.match.fields | label.match.cues


def _depth(mentions: Mentions, cell: Cell) -> float:
    """How far down the document a cell stands, 0 to 1."""
    return cell.row / max(1, len(mentions.layout.rows))


def _places(dates: Iterable[DateMention]) -> list[Span]:
    return [date.span for date in dates]


def _overlaps(span: Span, others: Iterable[Span]) -> bool:
    return any(
        other.cell is span.cell and other.start < span.end and span.start < other.end
        for other in others
    )

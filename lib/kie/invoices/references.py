"""By what an invoice is known: its numbers and dates, the order's, the customer's; its currency."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lib.domain.extraction import Candidate
from lib.kie.invoices.key_values import Hit, as_candidates, date_spans, identifier_spans
from lib.kie.invoices.labels import FieldLabel
from lib.kie.invoices.reading import Found, Reading
from lib.kie.layout import Cell, Span
from lib.kie.lexicon import LabelKind
from lib.values.currencies import find_symbols
from lib.values.identifiers import find_ibans, find_phones, find_tax_ids

_LIKE_A_DATE = re.compile(
    r"[^\W\d_]+(?: [^\W\d_]+){0,2} ?(?:n[°ºro]|nr|num|núm|nummer|number|numéro|№|#)\.? ?:? ?"
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,3})$",
    re.IGNORECASE,
)
_TITLE_SCORE = 0.8
_TITLE_DATE_SCORE = 0.8
_LONE_DATE_SCORE = 0.5  # a date without a label, near the top of the first page
_ANY_DATE_SCORE = 0.25
_BARE, _UPPER = 0.6, 0.5  # strength of a bare "No."; share of the page where one is looked for
_FAINT = 0.4  # a number that a chance word introduces
_PAYMENT = ("payment_terms", "amount_due", "total")
_LAST_DAY = 0.75
_UNTIL = re.compile(
    r"\b(?:bis|bis zum|spätestens|spätestens am|by|before|until|than|soit le|avant le|tard le"
    r"|jusqu'au|antes de|antes del|hasta|hasta el|entro|entro il|do|do dnia|vóór|voor|uiterlijk"
    r"|até|até ao|até dia|senast|до) ?$",
    re.IGNORECASE,
)
_SINCE = re.compile(r"\W*(?:du|vom|del|van|z dnia|från|от|dated|of) ?$", re.IGNORECASE)
# "Lyon, le 4 mai 2026", "Kassel, den 3. Mai 2026": letters are dated so, with their place.
_LETTER_DATE_SCORE = 0.6
_PLACE = re.compile(r"[^\W\d_][^\d,:;]{1,28}, ?(?:den|le|li|lì|il|el|a|em|dnia)? ?$", re.IGNORECASE)
_BESIDE, _AS_NAME = 0.86, 0.8  # a customer's number in the row of "Client:"
_CUSTOMER_DIGITS = 3
_UNDER_TITLE = 0.7  # a number alone under "INVOICE"
_UNDER_TITLE_GAP = 2.0  # letter heights
_ALONE = re.compile(r"[#№]? ?(?:[A-Z]{1,5}[-/ ]?)?\d[\d\-/]{2,}$")
_OPENING = re.compile(r"^(?:\s*(?:\([^)]*\)|[^\W\d_]{1,6}[.°º]?|[#№:.°º/–-]))*\s*$")
_OTHER_NUMBER = frozenset({"delivery_note", "contact", "bank", "fax", "page"})
_OTHER_DATE = frozenset({"not_issue_date", "delivery_note"})


def find_references(reading: Reading) -> Found:
    """Candidates for the numbers, the dates and the labelled currency."""
    return {
        "document_number": _document_numbers(reading),
        "issue_date": _issue_dates(reading),
        "due_date": [*_labelled_dates(reading, "due_date"), *_last_days(reading)],
        "delivery_date": _labelled_dates(reading, "delivery_date"),
        "purchase_order": _labelled_numbers(reading, "purchase_order"),
        "customer_id": [*_labelled_numbers(reading, "customer_id"), *_numbered_customers(reading)],
        "currency": _currencies(reading),
    }


def _labelled_numbers(reading: Reading, field: str) -> list[Candidate]:
    hits = reading.pairs.hits(field, lambda cell: _identifiers(reading, cell))
    hits = [hit for hit in hits if hit.score >= _FAINT]
    return list(as_candidates(reading.mentions, hits, 0.95))


def _numbered_customers(reading: Reading) -> list[Candidate]:
    """Numbers that stand where the customer's name would: "Client: C04417"."""
    hits = [
        hit
        for hit in reading.pairs.hits("customer_name", lambda cell: _identifiers(reading, cell))
        if hit.closeness > _BESIDE
        and hit.label.opens
        and reading.outside_table(hit.label.cell)
        and _is_whole_value(hit)
    ]
    return list(as_candidates(reading.mentions, hits, _AS_NAME))


def _is_whole_value(hit: Hit) -> bool:
    """Whether a value is all that its cell says behind the label."""
    cell, start = hit.span.cell, hit.label.span.end if hit.span.cell is hit.label.cell else 0
    rest = cell.text[start : hit.span.start] + cell.text[hit.span.end :]
    digits = sum(map(str.isdigit, hit.span.text))
    return digits >= _CUSTOMER_DIGITS and not any(map(str.isalnum, rest))


def _identifiers(reading: Reading, cell: Cell) -> list[Span]:
    """Identifier-like runs that no other finder knows as a phone, an account or a tax number."""
    spans = identifier_spans(reading.mentions, cell)
    if not spans:
        return spans
    known = [
        *reading.identifiers(find_ibans, cell),
        *reading.identifiers(find_tax_ids, cell),
    ]
    known += [
        phone for phone in reading.identifiers(find_phones, cell) if cell.text[phone.start] in "+("
    ]
    return [
        span
        for span in spans
        if not any(other.start < span.end and span.start < other.end for other in known)
    ]


def _document_numbers(reading: Reading) -> list[Candidate]:
    titled = [
        reading.mentions.candidate([span], score, title)
        for span, score, title in _title_numbers(reading)
    ]
    found: dict[str, Candidate] = {}
    labelled = [*_labelled_numbers(reading, "document_number"), *_bare_numbers(reading)]
    for candidate in sorted([*titled, *labelled], key=lambda c: -c.score):
        found.setdefault(candidate.raw, candidate)
    return list(found.values()) or _numbers_like_dates(reading)


def _numbers_like_dates(reading: Reading) -> list[Candidate]:
    """Numbers by year, month and count behind a title with a number sign: "Facture N° 2024-09-03".

    Only where another date is printed that can be the document's.
    """
    dates = {mention.span.text for mention in reading.mentions.all_dates}
    found = []
    for cell in reading.layout.pages[0].cells if reading.layout.pages else ():
        for mention in reading.mentions.labels(cell):
            named = mention.match.document_types or "document_number" in mention.match.fields
            match = _LIKE_A_DATE.match(cell.text, mention.span.start)
            if named and match and dates - {match[1]}:
                number = Span(cell, match.start(1), match.end(1))
                text = mention.span.text
                found.append(reading.mentions.candidate([number], _BARE, text))
    return found


def _bare_numbers(reading: Reading) -> list[Candidate]:
    """Identifiers behind nothing but a word for "number", in the upper half of the first page."""
    hits: list[Hit] = []
    for cell in reading.layout.pages[0].cells if reading.layout.pages else ():
        if not reading.outside_table(cell) or reading.relative_y(cell) > _UPPER:
            continue
        for mention in reading.mentions.labels(cell)[:1]:
            before, behind = cell.text[: mention.span.start], cell.text[mention.span.end :]
            if "number_word" in mention.match.cues and not any(map(str.isalnum, before)):
                alone = not any(map(str.isalnum, behind))
                label = FieldLabel("document_number", mention.span, _BARE, True, alone)
                hits += reading.pairs.seek(label, lambda c: _identifiers(reading, c))
    return list(as_candidates(reading.mentions, hits))


def _title_numbers(reading: Reading) -> Iterator[tuple[Span, float, str]]:
    """Identifiers right behind the word that says what the document is: "Invoice 4711"."""
    for cell in reading.layout.cells:
        for mention in reading.mentions.labels(cell):
            named = any(
                label.kind is LabelKind.DOCUMENT_TYPE and label.language in reading.labels.languages
                for label in mention.match.labels
            )
            if not named or any(map(str.isalpha, cell.text[: mention.span.start])):
                continue
            row = reading.layout.row_of(cell)
            following = [cell, *row.cells_right_of(cell)[:1]]
            for place in following:
                offset = mention.span.end if place is cell else 0
                spans = [s for s in _identifiers(reading, place) if s.start >= offset]
                if spans and _OPENING.match(place.text[offset : spans[0].start]):
                    early = 0.1 * (cell.page_number == 1) * (cell.height_ratio > 1.2)
                    yield spans[0], _TITLE_SCORE + early, mention.span.text
                    break
            else:
                if under := _number_under(reading, mention.span):
                    yield under, _UNDER_TITLE, mention.span.text
            break


def _number_under(reading: Reading, title: Span) -> Span | None:
    """A number that is all there is right under a title that is all there is in its line."""
    cell = title.cell
    if any(map(str.isalnum, cell.text[: title.start] + cell.text[title.end :])):
        return None
    height = reading.layout.page_of(cell).letter_height
    for below in reading.layout.below(cell.box, cell.row, reach=1):
        spans = _identifiers(reading, below)
        near = below.box.y0 - cell.box.y1 < _UNDER_TITLE_GAP * height
        if near and len(spans) == 1 and _ALONE.match(below.text.strip()):
            return spans[0]
    return None


def _labelled_dates(reading: Reading, field: str) -> list[Candidate]:
    """Dates of a field's labels; "Date" over a column of the table dates its lines."""
    hits = [
        hit
        for hit in reading.pairs.hits(field, lambda cell: date_spans(reading.mentions, cell))
        if reading.outside_table(hit.span.cell) or field == "delivery_date"
    ]
    return list(as_candidates(reading.mentions, hits, 0.95))


def _last_days(reading: Reading) -> Iterator[Candidate]:
    """Days until which a sentence about the payment gives: "Zahlbar ohne Abzug bis 02.09.2026"."""
    told = {label.cell.index for label in reading.labels.of(*_PAYMENT) if label.opens}
    paid = {label.cell.index for label in reading.labels.of("amount_paid")}
    for cell in reading.layout.cells:
        if cell.index in told - paid and reading.outside_table(cell):
            for span in date_spans(reading.mentions, cell):
                if _UNTIL.search(cell.text[: span.start]):
                    yield reading.mentions.candidate([span], _LAST_DAY)


def _issue_dates(reading: Reading) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    candidates = _labelled_dates(reading, "issue_date")
    candidates += [
        reading.mentions.candidate([span], score) for span, score in _unlabelled_dates(reading)
    ]
    for candidate in sorted(candidates, key=lambda c: -c.score):
        found.setdefault(candidate.raw, candidate)
    return list(found.values())


def _unlabelled_dates(reading: Reading) -> Iterator[tuple[Span, float]]:
    """Dates in the title's line, alone near the top, at last any that nothing else claims."""
    title_rows = {span.cell.row for span, _, _ in _title_numbers(reading)}
    numbered = {label.cell.row for label in reading.labels.of("document_number") if label.opens}
    for cell in reading.layout.cells:
        dates = date_spans(reading.mentions, cell)
        if not dates or not reading.outside_table(cell):
            continue
        claimed = any(
            label.field in ("due_date", "delivery_date", "purchase_order") and label.clear
            for label in reading.labels.in_cell(cell)
        )
        span = dates[0]
        if cell.row - 1 in title_rows | numbered and _is_date_of_title(span):
            yield span, _TITLE_DATE_SCORE
            continue
        if claimed or reading.labels.cues(cell) & _OTHER_DATE:
            continue
        if cell.row in title_rows:
            yield span, _TITLE_DATE_SCORE
        elif cell.page_number == reading.layout.pages[0].page.number:
            letters = sum(map(str.isalpha, cell.text))
            lone = (
                letters <= 20
                and reading.relative_y(cell) < 0.4
                and not _labelled_left(reading, cell)
            )
            if _is_date_of_letter(span):
                yield span, _LETTER_DATE_SCORE
            else:
                yield span, _LONE_DATE_SCORE if lone else _ANY_DATE_SCORE


def _labelled_left(reading: Reading, cell: Cell) -> bool:
    """Whether the cell to the left is a label, known or not, and the date its value."""
    left = reading.layout.row_of(cell).cells_left_of(cell)
    if not left:
        return False
    return left[-1].text.rstrip().endswith(":") or bool(reading.labels.opening(left[-1]))


def _is_date_of_letter(date: Span) -> bool:
    """Whether a line is a place and a date, nothing else."""
    before, behind = date.cell.text[: date.start], date.cell.text[date.end :]
    return bool(_PLACE.fullmatch(before)) and not any(c.isalnum() for c in behind)


def _is_date_of_title(date: Span) -> bool:
    """Whether a line dates what is named above: "Facture n° 12" / "du 01/09/2026"."""
    before, behind = date.cell.text[: date.start], date.cell.text[date.end :]
    return bool(_SINCE.fullmatch(before)) and not any(map(str.isalnum, behind))


def _currencies(reading: Reading) -> list[Candidate]:
    """The currency that a label names; a column's may differ from line to line."""
    hits = [
        hit
        for hit in reading.pairs.hits("currency", _currency_spans)
        if reading.outside_table(hit.label.cell)
    ]
    return list(as_candidates(reading.mentions, hits))


def _currency_spans(cell: Cell) -> list[Span]:
    spans = []
    for symbol in find_symbols(cell.text):
        start = cell.text.find(symbol)
        if start >= 0:
            spans.append(Span(cell, start, start + len(symbol)))
    return spans

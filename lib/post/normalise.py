"""A candidate's text to typed values, one option per possible reading, by the field's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from lib.domain.date_order import DateOrder
from lib.domain.extraction import Candidate, Value
from lib.domain.task import FieldType
from lib.post.evidence import Evidence, has_no_decimals
from lib.post.options import Option
from lib.post.settled import ISSUE_MARGIN
from lib.values.amounts import AmountMatch, find_amounts, parse_amount, prefer
from lib.values.currencies import candidates as currencies_of
from lib.values.dates import DateReading, find_dates, find_times
from lib.values.identifiers import (
    find_bics,
    find_emails,
    find_ibans,
    find_tax_ids,
    find_urls,
)
from lib.values.numerals import places
from lib.values.tax_ids import compact

# Share of the candidate's score that goes to a reading: the one that the document's convention
# gives, one against it, and each of several when there is no convention.
_DECIDED, _AGAINST, _OPEN_FIRST, _OPEN_OTHER = 1.0, 0.2, 0.6, 0.4

# Due and delivery dates lie ahead by nature, but not for years.
_OTHER_MARGIN = timedelta(days=3 * 365)
_IN_THE_FUTURE = 0.2

# Printed with a minus or in brackets on some documents, meant as what they are called.
_POSITIVE = frozenset(
    {"discount_total", "change", "amount_paid", "line_items.discount", "payments.amount"}
)
_EDGES = " \t\n:;#*=_|"
_SPACES = re.compile(r"\s+")


def read(
    name: str, kind: FieldType, candidate: Candidate, evidence: Evidence
) -> tuple[Option, ...]:
    """The options of one candidate for the field or `table.column`, best first.

    A value that its source gave exactly (XML) is kept as it is; what a model read in the words goes
    before how they were recognised.
    """
    if candidate.value is not None:
        return (Option(candidate.value, candidate, valid=_checked(kind, candidate.value)),)
    if candidate.reading:
        as_read = replace(candidate, raw=candidate.reading)
        return tuple(
            replace(option, candidate=candidate)
            for option in _READERS[kind](name, as_read, evidence)
        )
    return _READERS[kind](name, candidate, evidence)


def _checked(kind: FieldType, value: Value) -> bool | None:
    """The verdict of a checksum on a value from XML; None where there is none."""
    if not isinstance(value, str):
        return None
    if kind is FieldType.IBAN:
        return any(found.valid for found in find_ibans(value))
    if kind is FieldType.TAX_ID:
        return any(found.valid for found in find_tax_ids(value)) or None
    return None


def _text(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    text = _SPACES.sub(" ", candidate.raw).strip()
    return (Option(text, candidate),) if text else ()


def _identifier(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    text = _SPACES.sub(" ", candidate.raw).strip(_EDGES)
    return (Option(text, candidate),) if text else ()


def _money(name: str, candidate: Candidate, evidence: Evidence) -> tuple[Option, ...]:
    match = _amount(candidate.raw, evidence)
    if match is None:
        return ()
    code = match.currency
    if match.ambiguous and (has_no_decimals(code) if code else evidence.whole_units):
        whole = [r for r in match.readings if r == r.to_integral_value() and places(r) == 0]
        readings = tuple(whole) or match.readings
        return _options(name, candidate, match, readings, decided=True, ground="whole units")
    decided = not match.ambiguous or evidence.decimal_mark is not None
    _, ground = evidence.decimal_mark_and_ground
    return _options(name, candidate, match, match.readings, decided=decided, ground=ground)


def _number(name: str, candidate: Candidate, evidence: Evidence) -> tuple[Option, ...]:
    """Quantities: 1.000 is one rather than a thousand, unless the document's mark says else."""
    match = _amount(candidate.raw, evidence)
    if match is None:
        return ()
    readings = match.readings
    if match.ambiguous and evidence.decimal_mark is None:
        readings = tuple(sorted(readings, key=lambda r: -places(r)))
    decided = not match.ambiguous or evidence.decimal_mark is not None
    _, ground = evidence.decimal_mark_and_ground
    return _options(name, candidate, match, readings, decided=decided, ground=ground)


def _percent(name: str, candidate: Candidate, evidence: Evidence) -> tuple[Option, ...]:
    matches = find_amounts(candidate.raw)
    match = next((m for m in matches if m.percent), matches[0] if matches else None)
    if match is None:
        return ()
    match = prefer(match, evidence.decimal_mark)
    plausible = tuple(r for r in match.readings if -100 <= r <= 100)
    return _options(name, candidate, match, plausible, decided=True)


def _amount(raw: str, evidence: Evidence) -> AmountMatch | None:
    """The amount in a text: the whole, else the first with decimals or sign, else the first."""
    whole = parse_amount(raw, evidence.decimal_mark)
    if whole:
        return whole
    matches = [m for m in find_amounts(raw) if not m.percent]
    best = next((m for m in matches if m.decimals or m.symbol), matches[0] if matches else None)
    return prefer(best, evidence.decimal_mark) if best else None


def _options(
    name: str,
    candidate: Candidate,
    match: AmountMatch,
    readings: tuple[Decimal, ...],
    *,
    decided: bool,
    ground: str = "",
) -> tuple[Option, ...]:
    first, other = (_DECIDED, _AGAINST) if decided else (_OPEN_FIRST, _OPEN_OTHER)
    several = len(readings) > 1
    return tuple(
        Option(
            value=abs(reading) if name in _POSITIVE else reading,
            candidate=candidate,
            weight=other if rank else first,
            ambiguous=not decided,
            repaired=match.repaired,
            evidence=_amount_evidence(reading, rank, decided, ground) if several else "",
        )
        for rank, reading in enumerate(readings)
    )


def _amount_evidence(reading: Decimal, rank: int, decided: bool, ground: str) -> str:
    """How the separator is read then, and what decides for it."""
    how = "separator of decimals" if places(reading) else "separator of thousands"
    return f"{how}: {ground}" if decided and ground and rank == 0 else how


def _date(name: str, candidate: Candidate, evidence: Evidence) -> tuple[Option, ...]:
    matches = find_dates(candidate.raw, evidence.language)
    if not matches:
        return ()
    readings = matches[0].readings
    several = len(readings) > 1
    margin = ISSUE_MARGIN if name == "issue_date" else _OTHER_MARGIN
    latest = evidence.hints.received_on + margin
    plausible = [r for r in readings if r.value <= latest]
    order = evidence.date_order if len(plausible) > 1 else None
    options = [
        Option(
            value=reading.value.isoformat(),
            candidate=candidate,
            weight=_date_weight(reading, plausible, evidence, latest),
            order=reading.order,
            ambiguous=len(plausible) > 1 and order is None,
            evidence=_date_evidence(reading, plausible, evidence) if several else "",
        )
        for reading in readings
    ]
    return tuple(sorted(options, key=lambda option: -option.weight))


_ORDERS = {DateOrder.DMY: "day first", DateOrder.MDY: "month first", DateOrder.YMD: "year first"}


def _date_evidence(
    reading: DateReading, plausible: Sequence[DateReading], evidence: Evidence
) -> str:
    """How the date is read then, and what decides for it."""
    how = _ORDERS[reading.order] if reading.order else "in any order"
    if reading not in plausible:
        return f"{how}, after the day of receipt"
    if len(plausible) == 1:
        return f"{how}: otherwise after the day of receipt"
    order, ground = evidence.date_order_and_ground
    return f"{how}: {ground}" if order is not None and order is reading.order else how


def _date_weight(
    reading: DateReading, plausible: Sequence[DateReading], evidence: Evidence, latest: date
) -> float:
    if reading.value > latest:
        return _IN_THE_FUTURE
    if len(plausible) == 1:
        return _DECIDED
    follows = reading.order is evidence.likely_order
    if evidence.date_order:
        return _DECIDED if follows else _AGAINST
    return _OPEN_FIRST if follows else _OPEN_OTHER


def _time(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    return tuple(Option(time.value, candidate) for time in find_times(candidate.raw)[:1])


def _currency(_: str, candidate: Candidate, evidence: Evidence) -> tuple[Option, ...]:
    """A code when the printed sign means one, by itself or by the document's countries.

    Otherwise the currencies that it may mean are options that share little of the score, so that
    they can be listed but none is answered.
    """
    code, others = evidence.currency_of(candidate.raw)
    hint = evidence.hints.currency
    ground = f"as in {', '.join(evidence.countries[:2])}" if others and evidence.countries else ""
    if code is None and hint and hint in (others or currencies_of(candidate.raw)):
        code, ground = hint, "as hinted"
    if code:
        return (Option(code, candidate, evidence=ground),)
    sign = _SPACES.sub(" ", candidate.raw).strip()
    return tuple(
        Option(o, candidate, weight=0.0, ambiguous=True, evidence=f"{sign} is printed for it")
        for o in others
    )


def _phone(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    text = _SPACES.sub(" ", candidate.raw).strip(_EDGES + ".,")
    digits = sum(map(str.isdigit, text))
    return (Option(text, candidate),) if 5 <= digits <= 17 else ()


def _email(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    return tuple(Option(found.value, candidate) for found in find_emails(candidate.raw)[:1])


def _url(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    return tuple(Option(found.value, candidate) for found in find_urls(candidate.raw)[:1])


def _tax_id(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    introduced = f"{candidate.label} {candidate.raw}" if candidate.label else candidate.raw
    for text in (candidate.raw, introduced):
        found = next((match for match in find_tax_ids(text) if match.country), None)
        if found:
            has_checksum = found.valid or found.kind not in ("gst", "sst", "tax_id")
            return (Option(found.value, candidate, valid=found.valid if has_checksum else None),)
    text = compact(candidate.raw).strip(_EDGES + "()[],")
    return (Option(text, candidate),) if sum(map(str.isdigit, text)) >= 5 else ()


def _iban(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    return tuple(
        Option(found.value, candidate, valid=found.valid, repaired=found.repaired)
        for found in find_ibans(candidate.raw)[:1]
    )


def _bic(_: str, candidate: Candidate, __: Evidence) -> tuple[Option, ...]:
    return tuple(Option(found.value, candidate) for found in find_bics(f"BIC {candidate.raw}")[:1])


_READERS: dict[FieldType, Callable[[str, Candidate, Evidence], tuple[Option, ...]]] = {
    FieldType.STRING: _text,
    FieldType.NAME: _text,
    FieldType.ADDRESS: _text,
    FieldType.MONEY: _money,
    FieldType.NUMBER: _number,
    FieldType.PERCENT: _percent,
    FieldType.DATE: _date,
    FieldType.TIME: _time,
    FieldType.CURRENCY: _currency,
    FieldType.PHONE: _phone,
    FieldType.EMAIL: _email,
    FieldType.URL: _url,
    FieldType.TAX_ID: _tax_id,
    FieldType.IBAN: _iban,
    FieldType.BIC: _bic,
    FieldType.IDENTIFIER: _identifier,
}

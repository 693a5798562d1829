"""Whether a text that a model wrote has the form of its field: an amount, a date, an IBAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lib.domain.task import FieldType
from lib.values.amounts import find_amounts, parse_amount
from lib.values.bank_ids import find_bics, find_ibans
from lib.values.contacts import find_emails, find_urls
from lib.values.currencies import candidates
from lib.values.dates import find_dates, find_times

_FEWEST_DIGITS = 5  # of a phone number


def has_form(kind: FieldType, text: str, language: str) -> bool:
    """Whether a value of the type can be read from the text.

    `language` (ISO 639) decides where a name means another month in another one. A type that takes
    any text has no form to miss.
    """
    if kind is FieldType.DATE:
        return bool(find_dates(text, language))
    reads = _READERS.get(kind)
    return reads is None or bool(reads(text))


def _number(text: str) -> bool:
    return bool(parse_amount(text) or find_amounts(text))


def _phone(text: str) -> bool:
    return sum(map(str.isdecimal, text)) >= _FEWEST_DIGITS


_READERS: Mapping[FieldType, Callable[[str], object]] = {
    FieldType.MONEY: _number,
    FieldType.NUMBER: _number,
    FieldType.PERCENT: _number,
    FieldType.TIME: find_times,
    FieldType.CURRENCY: candidates,
    FieldType.PHONE: _phone,
    FieldType.EMAIL: find_emails,
    FieldType.URL: find_urls,
    FieldType.IBAN: find_ibans,
    FieldType.BIC: lambda text: find_bics(f"BIC {text}"),
}
"""What finds nothing in a text that has not the form."""

FORMS = frozenset({FieldType.DATE, *_READERS})
"""The types that have a form."""

"""When an answer equals the truth: text exact and relaxed, money, numbers, dates, phones."""

from __future__ import annotations

import unicodedata
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from lib.domain.task import FieldType

_HALF_A_CENT = Decimal("0.005")


class Agreement(NamedTuple):
    """Whether two values agree by the strict rule and by the relaxed one; exact implies relaxed."""

    exact: bool
    relaxed: bool


_NEITHER = Agreement(exact=False, relaxed=False)
_BOTH = Agreement(exact=True, relaxed=True)


def agree(truth: object, answer: object, field_type: FieldType) -> Agreement:
    """Compare an answer with the truth of a field of that type; None never agrees with anything.

    Only text tells exact from relaxed: exact after upper-casing and removing all white space,
    relaxed when only letters and digits (of any script) are kept; composed and decomposed accents
    are the same letter (Unicode NFC). Money agrees to the cent: within
    half of one, so that it does not matter how a price of more decimals was rounded. Numbers and
    percentages agree by value, dates and times by value (ISO 8601), phone numbers by their digits.
    """
    if truth is None or answer is None:
        return _NEITHER
    match field_type:
        case FieldType.MONEY:
            return _BOTH if _same_cents(truth, answer) else _NEITHER
        case FieldType.NUMBER | FieldType.PERCENT:
            return _both(decimal_value(truth), decimal_value(answer))
        case FieldType.DATE:
            return _both(date_value(truth), date_value(answer))
        case FieldType.TIME:
            return _both(time_value(truth), time_value(answer))
        case FieldType.PHONE:
            return _both(_digits(str(truth)) or None, _digits(str(answer)) or None)
        case _:
            return _agree_as_text(str(truth), str(answer))


def decimal_value(value: object) -> Decimal | None:
    """The finite number that a JSON number or a plain decimal string stands for, else None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def date_value(value: object) -> date | None:
    """The day that an ISO 8601 date stands for, else None."""
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        return None


def time_value(value: object) -> time | None:
    """The time of day that an ISO 8601 time stands for (seconds default to 0), else None."""
    try:
        return time.fromisoformat(str(value).strip())
    except ValueError:
        return None


def _same_cents(truth: object, answer: object) -> bool:
    wanted, got = decimal_value(truth), decimal_value(answer)
    return wanted is not None and got is not None and abs(wanted - got) <= _HALF_A_CENT


def _both(truth: object | None, answer: object | None) -> Agreement:
    return _BOTH if truth is not None and truth == answer else _NEITHER


def _agree_as_text(truth: str, answer: str) -> Agreement:
    wanted, got = _without_spaces(truth), _without_spaces(answer)
    exact = wanted == got
    kept, kept_of_answer = _letters_and_digits(wanted), _letters_and_digits(got)
    return Agreement(exact=exact, relaxed=exact or (bool(kept) and kept == kept_of_answer))


def _without_spaces(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).upper().split())


def _letters_and_digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdecimal())

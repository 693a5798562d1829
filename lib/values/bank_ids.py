"""IBANs and BICs in text, confirmed by checksum and registry."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

from babel.core import get_global
from stdnum import bic as stdnum_bic
from stdnum import iban as stdnum_iban
from stdnum import numdb

from lib.values.matches import IdentifierMatch
from lib.values.text import fold_width

_IBAN = re.compile(r"(?<![^\W_])([A-Z]{2} ?[0-9OIlSBQZ]{2}(?: ?[0-9A-Z]){11,30})", re.IGNORECASE)
_MAX_REPAIRS = 4
_MIN_DIGITS = 0.5  # share of one that fails the checksum; words make up less

_BIC = re.compile(r"(?<![^\W_])[A-Z]{4} ?[A-Z]{2} ?[A-Z0-9]{2}(?: ?[A-Z0-9]{3})?(?![^\W_])")


def find_ibans(text: str) -> tuple[IdentifierMatch, ...]:
    """IBANs, with or without spaces; look-alikes are repaired only where the checksum then holds.

    One that has the right country and length but fails the checksum is given as not valid.
    """
    folded = fold_width(text)
    found: list[IdentifierMatch] = []
    position = 0
    while match := _IBAN.search(folded, position):
        iban = _iban(match)
        if iban is None or not iban.valid:
            position = match.start() + 1  # in `le 22 mai sur le compte BE68...` it starts later
        else:
            position = iban.end
            found = [other for other in found if other.end <= iban.start]
        if iban is not None and not any(iban.start < other.end for other in found):
            found.append(iban)
    return tuple(found)


def _iban(match: re.Match[str]) -> IdentifierMatch | None:
    country = match[1][:2].upper()
    length = _iban_lengths().get(country)
    if length is None:
        return None
    taken, end = _take(match[1], length)
    if len(taken) < length:
        return None
    rest = match[1][end:]
    if rest and rest[0].isalnum():
        return None
    value, repaired = _checked_iban(taken.upper())
    if value is None and (
        not taken[2:4].isdigit() or sum(map(str.isdigit, taken)) < _MIN_DIGITS * length
    ):
        return None
    start = match.start(1)
    return IdentifierMatch(
        start, start + end, value or taken.upper(), value is not None, country, "iban", repaired
    )


def _take(text: str, count: int) -> tuple[str, int]:
    """The first `count` characters without spaces, and where they end."""
    taken: list[str] = []
    for index, character in enumerate(text):
        if character != " ":
            taken.append(character)
        if len(taken) == count:
            return "".join(taken), index + 1
    return "".join(taken), len(text)


def _checked_iban(compact: str) -> tuple[str | None, bool]:
    """The IBAN as read, or with look-alikes exchanged where one exchange alone satisfies it."""
    if stdnum_iban.is_valid(compact, check_country=False):
        return compact, False
    doubtful = [i for i, c in enumerate(compact) if i >= 2 and c in _TO_DIGIT]
    if not 1 <= len(doubtful) <= _MAX_REPAIRS:
        return None, False
    found = set()
    for choice in product((False, True), repeat=len(doubtful)):
        letters = list(compact)
        for index, exchange in zip(doubtful, choice, strict=True):
            letters[index] = _TO_DIGIT[compact[index]] if exchange else compact[index]
        attempt = "".join(letters)
        if stdnum_iban.is_valid(attempt, check_country=False):
            found.add(attempt)
    return (found.pop(), True) if len(found) == 1 else (None, False)


_TO_DIGIT = {
    "O": "0",
    "Q": "0",
    "D": "0",
    "I": "1",
    "L": "1",
    "S": "5",
    "B": "8",
    "Z": "2",
    "G": "6",
}


@cache
def _iban_lengths() -> dict[str, int]:
    """IBAN length by country, from the registry's structures (python-stdnum's copy)."""
    registry = numdb.get("iban")
    lengths: dict[str, int] = {}
    for country in _countries():
        structure = dict(registry.info(f"{country}00")[0][1])
        if bban := structure.get("bban"):
            lengths[country] = 4 + sum(int(n) for n in re.findall(r"(\d+)!", bban))
    return lengths


@cache
def _countries() -> frozenset[str]:
    return frozenset(c for c in get_global("territory_currencies") if len(c) == 2 and c.isalpha())


def find_bics(text: str) -> tuple[IdentifierMatch, ...]:
    """BICs (ISO 9362): four letters of the bank, an existing country, place, optional branch.

    Eight capitals are also a word, so one without a digit or a branch is valid only where `BIC` or
    `SWIFT` stands before it in the text.
    """
    folded = fold_width(text)
    found: list[IdentifierMatch] = []
    for match in _BIC.finditer(folded):
        compact = match[0].replace(" ", "")
        country = compact[4:6]
        if country not in _countries() or not stdnum_bic.is_valid(compact):
            continue
        labelled = re.search(r"\b(?:BIC|SWIFT)\b", folded[: match.start()], re.IGNORECASE)
        if not labelled and (
            " " in match[0] or (compact.isalpha() and not compact.endswith("XXX"))
        ):
            continue
        found.append(IdentifierMatch(match.start(), match.end(), compact, True, country, "bic"))
    return tuple(found)

"""Names of months and weekdays in the languages of documents, whatever recognisers made of them."""

from __future__ import annotations

from functools import cache, lru_cache

from babel import Locale

from lib.values.text import fold_ocr

LANGUAGES = (
    "en", "de", "fr", "es", "it", "nl", "pt", "pl", "ms", "id", "ru", "sv", "da", "nb", "fi", "cs",
    "sk", "ro", "tr", "hu", "uk", "el", "bg", "ca",
)  # fmt: skip

_WORDS_KEPT = 4096  # whose meaning is kept: any word beside a number may be looked up

# Written abbreviations that CLDR does not list, by folded form.
_ALSO = {
    "en": {"sept": 9, "febr": 2},
    "de": {"mrz": 3, "maerz": 3, "jaenner": 1, "janner": 1, "febr": 2, "sept": 9},
    "fr": {
        "jan": 1,
        "fev": 2,
        "fevr": 2,
        "avr": 4,
        "jui": 6,
        "juil": 7,
        "aou": 8,
        "sep": 9,
        "dec": 12,
    },
    "es": {"sep": 9, "set": 9, "setiembre": 9},
    "it": {"genn": 1, "sett": 9},
    "nl": {"mrt": 3, "maa": 3},
    "ms": {"ogo": 8, "okt": 10, "dis": 12, "mac": 3},
    "id": {"agu": 8, "agt": 8, "ags": 8, "agust": 8, "nop": 11, "pebruari": 2, "nopember": 11},
    "pt": {"fev": 2, "mai": 5},
}


@cache
def _names() -> dict[str, dict[str, int]]:
    """Folded name -> language -> month."""
    names: dict[str, dict[str, int]] = {}
    for language in LANGUAGES:
        months = Locale.parse(language).months
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in months[context][width].items():
                    _add(names, language, name, number)
        for name, number in _ALSO.get(language, {}).items():
            _add(names, language, name, number)
    return names


def _add(names: dict[str, dict[str, int]], language: str, name: str, number: int) -> None:
    folded = fold_ocr(name)
    if len(folded) >= 3 and not folded[0].isdigit():
        names.setdefault(folded, {}).setdefault(language, number)


@lru_cache(_WORDS_KEPT)
def month_of(word: str, language: str | None = None) -> int | None:
    """The month (1 to 12) that a word names, or None.

    Case, accents and look-alike characters do not matter. A name that means different months in
    different languages needs `language`. What has no letter names none: look-alikes would make
    "ogo" of the 060 in 1.060,25.
    """
    if not any(map(str.isalpha, word)):
        return None
    folded = fold_ocr(word)
    meanings = _names().get(folded)
    if meanings is None:
        return None
    if language and language.split("-")[0].lower() in meanings:
        return meanings[language.split("-")[0].lower()]
    months = set(meanings.values())
    return months.pop() if len(months) == 1 else None


@cache
def _weekday_names() -> dict[str, frozenset[int]]:
    """Folded name -> the weekdays that it means in some language, Monday 0."""
    names: dict[str, set[int]] = {}
    for language in LANGUAGES:
        days = Locale.parse(language).days
        for width in ("wide", "abbreviated"):
            for weekday, name in days["format"][width].items():
                folded = fold_ocr(name)
                if len(folded) >= 3:
                    names.setdefault(folded, set()).add(weekday)
    return {name: frozenset(weekdays) for name, weekdays in names.items()}


@lru_cache(_WORDS_KEPT)
def weekdays_of(word: str) -> frozenset[int]:
    """The weekdays (Monday 0, as `date.weekday`) that a word may name; none for another word."""
    return _weekday_names().get(fold_ocr(word), frozenset())

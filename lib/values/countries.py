"""Names of countries, in the languages that invoices come in, to ISO 3166-1 codes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from babel import Locale

from lib.values.calendar_names import LANGUAGES

# EN 16931 is spoken in these as well.
_LANGUAGES = (*LANGUAGES, "et", "hr", "lt", "lv", "sl")
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "ZZ", "QO"})
_CODE_LETTERS = 2


@cache
def _codes() -> Mapping[str, str]:
    """Folded names, and the codes themselves, to codes (Unicode CLDR)."""
    codes: dict[str, str] = {}
    for language in _LANGUAGES:
        for code, name in Locale.parse(language).territories.items():
            if len(code) == _CODE_LETTERS and code not in _NO_COUNTRIES:
                codes.setdefault(_folded(name), code)
                codes[code.casefold()] = code
    return codes


def _folded(name: str) -> str:
    return " ".join(name.replace(".", "").split()).casefold()


def country_code(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code that a name (`Deutschland`) or a capital code (`DE`) means."""
    folded = _folded(text)
    if len(folded) == _CODE_LETTERS and not text.isupper():
        return None
    return _codes().get(folded)

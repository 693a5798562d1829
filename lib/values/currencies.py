"""Currency signs and codes: what they may mean, and which one a document's evidence gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from babel import UnknownLocaleError
from babel.core import get_global
from babel.numbers import get_currency_name

from lib.values.text import fold_width

# What is printed -> ISO 4217 codes that it may mean, commonest first. One code: unambiguous.
# £ is printed for the Egyptian, Lebanese and Syrian pounds only in English writing about them, not
# on documents of these countries, and the pounds of Gibraltar and others are at par with sterling.
SYMBOLS: dict[str, tuple[str, ...]] = {
    "€": ("EUR",), "Euro": ("EUR",), "Euros": ("EUR",), "£": ("GBP",), "₹": ("INR",),
    "₽": ("RUB",), "₩": ("KRW",), "₫": ("VND",),
    "₱": ("PHP",), "฿": ("THB",), "₺": ("TRY",), "₴": ("UAH",), "₪": ("ILS",), "₡": ("CRC",),
    "₦": ("NGN",), "₵": ("GHS",), "₸": ("KZT",), "₼": ("AZN",), "₾": ("GEL",), "₲": ("PYG",),
    "$": ("USD", "CAD", "AUD", "MXN", "SGD", "NZD", "HKD", "TWD", "CLP", "COP", "ARS"),
    "US$": ("USD",), "C$": ("CAD",), "CA$": ("CAD",), "CAD$": ("CAD",), "A$": ("AUD",),
    "AU$": ("AUD",), "S$": ("SGD",), "SG$": ("SGD",), "HK$": ("HKD",), "NT$": ("TWD",),
    "NZ$": ("NZD",), "MX$": ("MXN",), "R$": ("BRL",), "USD$": ("USD",), "AR$": ("ARS",),
    "¥": ("JPY", "CNY"), "円": ("JPY",), "元": ("CNY", "TWD"), "RMB": ("CNY",), "원": ("KRW",),
    "RM": ("MYR",), "Rp": ("IDR",), "zł": ("PLN",), "Kč": ("CZK",), "Ft": ("HUF",),
    "лв": ("BGN",), "грн": ("UAH",), "руб": ("RUB", "BYN"), "TL": ("TRY",), "S/": ("PEN",),
    "B/.": ("PAB",), "kr": ("SEK", "NOK", "DKK", "ISK"), "lei": ("RON", "MDL"),
    "Fr.": ("CHF", "XOF", "XAF"), "SFr.": ("CHF",), "Rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "Rs.": ("INR", "PKR", "LKR", "NPR", "MUR"), "KSh": ("KES",), "Dhs": ("AED", "MAD"),
    "R": ("ZAR",),
}  # fmt: skip

# Codes that are also words or tax codes of documents in capitals: "2 PEN 1.50", "ALL 12.00".
_WORDS = frozenset(
    {
        "ALL", "TOP", "CUP", "TRY", "PEN", "MAD", "LAK", "GEL", "SOS", "BAM", "MOP", "COP", "BOB",
        "MUR", "STN", "VES",
    }
)  # fmt: skip

# Codes that are also the legal form of companies ("Sdn Bhd"): currencies only beside decimals.
_LEGAL_FORMS = frozenset({"BHD"})
_DECIMALS = 6  # characters before a code that show decimals
_DECIMALS_BEFORE = re.compile(r"\d[.,]\d{2,3} ?$")
_DECIMALS_BEHIND = re.compile(r"[.:]? ?[\d,]{0,12}\d[.,]\d{2,3}(?!\d)")

# Symbols that in other letters are units of measure or short words: feet ("sq. ft."), "FT 2026/7".
_UNITS = frozenset({"Ft"})

# Symbols that in small letters are short for a word: "s/ 36,00".
_PREPOSITIONS = frozenset({"S/"})

_WORDS_KEPT = 4096  # whose meaning is kept: any word of any document is looked up

_NO_SYMBOL = "0123456789.,:;-/()%*#' "  # the characters of most that is printed in columns

# Symbols that alone prove too little: a single capital R stands before many things.
_WEAK = frozenset({"R"})


@cache
def iso_codes() -> frozenset[str]:
    """The ISO 4217 codes that are legal tender somewhere now (CLDR)."""
    current: set[str] = set()
    for entries in get_global("territory_currencies").values():
        current.update(code for code, _, end, tender in entries if end is None and tender)
    return frozenset(code for code in current if len(code) == 3 and not code.startswith("XX"))


@cache
def currencies_of_country(country: str) -> tuple[str, ...]:
    """Codes that are legal tender now in a country (ISO 3166 alpha-2), by CLDR."""
    entries = get_global("territory_currencies").get(country.upper(), ())
    return tuple(code for code, _, end, tender in entries if end is None and tender)


@cache
def _by_folded_symbol() -> dict[str, tuple[str, ...]]:
    folded: dict[str, tuple[str, ...]] = {}
    for symbol, codes in SYMBOLS.items():
        folded.setdefault(_folded(symbol), codes)
    return folded


def _folded(symbol: str) -> str:
    return symbol.casefold().rstrip(".")


@lru_cache(_WORDS_KEPT)
def candidates(symbol: str) -> tuple[str, ...]:
    """The codes that a printed symbol or code may mean, commonest first; none if unknown."""
    plain = fold_width(symbol).strip()
    if plain in SYMBOLS:
        return SYMBOLS[plain]
    if plain.upper() in iso_codes():
        return (plain.upper(),)
    return _by_folded_symbol().get(_folded(plain), ())


def unambiguous(symbol: str) -> str | None:
    """The one code that a printed symbol or code means by itself, or None."""
    if symbol in _WEAK or symbol.upper() in _WORDS:
        return None
    codes = candidates(symbol)
    return codes[0] if len(codes) == 1 else None


def _as_written(symbol: str) -> str:
    """The symbol in any letters; one that otherwise is a unit only as it is, behind digits.

    "s/" is "on" in Spanish, and so it is in capitals behind a rate: "IVA 21% S/ 530,35".
    """
    escaped = re.escape(symbol)
    if symbol in _PREPOSITIONS:
        return rf"(?-i:(?<!%)(?<!% ){escaped})"
    return rf"(?-i:(?:(?<=\d)|(?<=\d )){escaped})" if symbol in _UNITS else escaped


@cache
def symbol_pattern() -> str:
    """Regular expression alternatives of everything that may be a currency, longest first.

    It takes any three letters for a code: `is_symbol` tells whether they are one.
    """
    symbols = sorted(SYMBOLS.keys() - _WEAK, key=lambda symbol: -len(symbol))
    letters = "|".join(map(_as_written, (s for s in symbols if s[0].isalpha())))
    signs = "|".join(re.escape(s) for s in symbols if not s[0].isalpha())
    return rf"(?i:{letters})|{signs}|[A-Za-z]{{3}}|R(?=[ ]?[0-9])"


def is_symbol(printed: str) -> bool:
    """Whether a match of `symbol_pattern` is a currency and not just three letters."""
    return len(printed) != 3 or not printed.isascii() or bool(candidates(printed))


@cache
def _printed() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])(?:{symbol_pattern()})(?![^\W\d_])")


def find_symbols(text: str) -> tuple[str, ...]:
    """Currency symbols and codes printed in a text as words of their own or against digits.

    Codes in small letters are not taken: they are words more often than codes.
    """
    folded = fold_width(text)
    if not folded.strip(_NO_SYMBOL):
        return ()
    found = (m[0] for m in _printed().finditer(folded) if not _is_legal_form(folded, m))
    return tuple(
        s
        for s in found
        if is_symbol(s) and (len(s) != 3 or s.isupper() or s in SYMBOLS or not s.isascii())
    )


def possible_symbols(word: str) -> tuple[str, ...]:
    """What in a word without white space may be a currency: the symbols in it, and itself.

    A word of letters alone is one as a whole, or none.
    """
    if word.isascii() and word.isalpha():
        return (word,)
    return tuple(dict.fromkeys((*find_symbols(word), word)))


def is_legal_form(symbol: str) -> bool:
    """Whether a code is a legal form of companies where no decimals stand beside it."""
    return symbol.upper() in _LEGAL_FORMS


def _is_legal_form(text: str, match: re.Match[str]) -> bool:
    if not is_legal_form(match[0]):
        return False
    before = text[max(0, match.start() - _DECIMALS) : match.start()]
    return not (_DECIMALS_BEFORE.search(before) or _DECIMALS_BEHIND.match(text, match.end()))


def resolve_currency(
    texts: Iterable[str], countries: Sequence[str] = (), language: str | None = None
) -> tuple[str | None, tuple[str, ...]]:
    """The document's currency by what is printed, and the other codes that it may be.

    `texts`: texts or symbols of the document; `countries`: ISO 3166 codes for which something on
    the document speaks (VAT id, IBAN, phone code), strongest first. A code is given only when a
    printed sign means it alone, or means it in a country or language of the evidence; else None.
    """
    votes: Counter[str] = Counter()
    unclear: Counter[str] = Counter()
    for text in texts:
        for symbol in find_symbols(text):
            code = unambiguous(symbol)
            if code:
                votes[code] += 1
            elif (symbol not in _WEAK and symbol.upper() not in _WORDS) or any(
                code in currencies_of_country(c) for c in countries for code in candidates(symbol)
            ):
                unclear[symbol] += 1
    local = [code for country in countries for code in currencies_of_country(country)]
    if votes:
        ranked = [code for code, _ in votes.most_common()]
        if len(ranked) == 1 or votes[ranked[0]] >= 2 * votes[ranked[1]]:
            return ranked[0], tuple(ranked[1:])
        return next((code for code in local if code in votes), None), tuple(ranked)
    if not unclear:
        return None, ()
    spoken = _currencies_of_language(language) if language else ()
    by_count = [candidates(symbol) for symbol, _ in unclear.most_common()]
    for options in by_count:
        for code in (*local, *spoken):
            if code in options:
                return code, tuple(option for option in options if option != code)
    return None, by_count[0]


def currency_by_name(text: str, codes: Sequence[str], language: str | None) -> str | None:
    """The only one of `codes` whose name (Canadian dollars) is in the text, in English or in its
    language; None for none or several.
    """
    small = text.lower()
    languages = dict.fromkeys(("en", language or "en"))
    named = {c for c in codes if any(n in small for lang in languages for n in _names(c, lang))}
    return named.pop() if len(named) == 1 else None


@cache
def _names(code: str, language: str) -> frozenset[str]:
    """Names of a currency of more than one word: `dollar` alone is the question, not an answer."""
    try:
        names = [get_currency_name(code, count, language) for count in (None, 1, 2)]
    except (UnknownLocaleError, ValueError):
        return frozenset()
    return frozenset(name.lower() for name in names if " " in name)


_HOMES = {
    "ja": "JPY", "zh": "CNY", "sv": "SEK", "nb": "NOK", "no": "NOK", "da": "DKK", "is": "ISK",
    "ru": "RUB", "ro": "RON", "ms": "MYR", "id": "IDR", "pl": "PLN",
}  # fmt: skip


@cache
def _currencies_of_language(language: str) -> tuple[str, ...]:
    """The currency of a language at home in one country (Polish, Japanese); none for others."""
    code = _HOMES.get(language.split("-", maxsplit=1)[0].lower())
    return (code,) if code else ()

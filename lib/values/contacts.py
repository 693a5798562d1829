"""E-mail addresses, web addresses and phone numbers in text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import phonenumbers

from lib.values.dates import find_dates, find_times
from lib.values.matches import IdentifierMatch
from lib.values.text import fold_width

_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*(?: ?@ ?|\(at\)|\[at\])"
    r"[A-Za-z0-9-]+(?:\. ?[A-Za-z0-9-]+)*\. ?[A-Za-z]{2,10}(?![\w@])",
    re.ASCII,
)
_URL = re.compile(
    r"(?<![\w@.-])(?:https?:// ?|www ?[.,] ?)"
    r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,10}(?:/[^\s,;)]*)?",
    re.IGNORECASE | re.ASCII,
)
_BARE_DOMAIN = re.compile(
    r"(?<![\w@.-])[a-z0-9][a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|info|biz|eu|de|at|ch|fr|es|it|nl|be|pt|pl|uk|my|sg|id|ru|us|ca|au|in|io)(?![\w@.-])",
    re.ASCII,
)
_PHONE = re.compile(
    r"(?<![\w.,/])(?<!\d-)(?:\+|\(\+?)?\d[\d ()./–-]{5,30}\d(?![\w%]|[.,]\d{1,5}(?!\d))"
)
_MISREAD_BRACKET = re.compile(r"(?<=\(\d{3})[>}\]](?= ?\d)")
_AMOUNTS = re.compile(r"\d+[.,]\d\d(?:[. ]\d+[.,]\d\d)+")
_SHORTEST, _LONGEST = 7, 15  # digits; ITU-T E.164 allows 15


def find_emails(text: str) -> tuple[IdentifierMatch, ...]:
    """E-mail addresses; spaces that a recogniser set around `@` and dots are dropped."""
    folded = fold_width(text)
    return tuple(
        IdentifierMatch(m.start(), m.end(), _joined_email(m[0]), True, kind="email")
        for m in _EMAIL.finditer(folded)
    )


def _joined_email(text: str) -> str:
    return re.sub(r"\(at\)|\[at\]", "@", text.replace(" ", ""))


def find_urls(text: str) -> tuple[IdentifierMatch, ...]:
    """URLs and host names: with a scheme or `www`, or small letters under a usual top level."""
    folded = fold_width(text)
    found: list[IdentifierMatch] = []
    for pattern in (_URL, _BARE_DOMAIN):
        for match in pattern.finditer(folded):
            if any(match.start() < other.end and other.start < match.end() for other in found):
                continue
            value = match[0].replace(" ", "").rstrip(".").replace("www,", "www.")
            found.append(IdentifierMatch(match.start(), match.end(), value, True, kind="url"))
    return tuple(sorted(found, key=lambda url: url.start))


def find_phones(text: str, regions: Sequence[str] = ()) -> tuple[IdentifierMatch, ...]:
    """Phone numbers. `regions`: ISO 3166 countries whose national form is tried, likeliest first.

    `valid` when the numbering plan of a region knows the number (then `country` is set and `value`
    is E.164); otherwise `value` is the digits with a leading plus where printed.
    """
    folded = fold_width(text)
    if sum(map(str.isdigit, folded)) < _SHORTEST:
        return ()
    folded = _MISREAD_BRACKET.sub(")", _without_dates(folded))
    return tuple(_phones(folded, tuple(regions)))


def _without_dates(text: str) -> str:
    """The text with dates and times of day blotted out, position by position."""
    spans = []
    if "/" in text:
        spans = [(d.start, d.end) for d in find_dates(text) if "/" in text[d.start : d.end]]
    if ":" in text:
        spans += [(t.start, t.end) for t in find_times(text) if not text[: t.start][-1:].isalpha()]
    for start, end in spans:
        text = text[:start] + "_" * (end - start) + text[end:]
    return text


def _phones(folded: str, regions: tuple[str, ...]) -> Iterator[IdentifierMatch]:
    for start, end in _printed(folded):
        printed = folded[start:end]
        digits = re.sub(r"\D", "", printed)
        if not _SHORTEST <= len(digits) <= _LONGEST or _is_date_like(printed):
            continue
        if printed.count("(") > printed.count(")"):
            continue
        plus = printed.lstrip("(").startswith("+")
        for region in (None,) if plus else regions:
            number = _parsed(printed, region)
            if number and phonenumbers.is_valid_number(number):
                country = phonenumbers.region_code_for_number(number) or region
                value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                yield IdentifierMatch(start, end, value, True, country, "phone")
                break
        else:
            yield IdentifierMatch(start, end, ("+" if plus else "") + digits, False, None, "phone")


def _printed(folded: str) -> Iterator[tuple[int, int]]:
    """Where numbers stand; two that follow each other, grouped alike, are two."""
    for match in _PHONE.finditer(folded):
        start, end = match.span()
        if _AMOUNTS.fullmatch(match[0]):
            continue
        groups = [(start + m.start(), start + m.end()) for m in re.finditer(r"\d+", match[0])]
        sizes = [last - first for first, last in groups]
        half = len(sizes) // 2
        if sizes[:half] == sizes[half:] and sum(sizes[:half]) >= _SHORTEST and set(sizes) != {4}:
            yield start, groups[half - 1][1]
            yield groups[half][0], end
        else:
            yield start, end


def _parsed(printed: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(printed, region)
    except phonenumbers.NumberParseException:
        return None


def _is_date_like(printed: str) -> bool:
    return bool(re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?: .*)?", printed))

"""What the document says about itself: its decimal mark, countries, order of dates, currency."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_precision

from lib.domain.date_order import DateOrder
from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction
from lib.post.country_signs import country_signs
from lib.values.amounts import decimal_mark_of
from lib.values.currencies import currencies_of_country, currency_by_name, resolve_currency
from lib.values.dates import (
    DateMatch,
    OrderEvidence,
    find_dates,
    order_by_sure_days,
    order_of_country,
    resolve_order,
)
from lib.values.identifiers import find_ibans, find_phones, find_tax_ids

# How many votes each sign of a country is worth. A checked number names its country; a word for tax
# or a legal form only narrows it down, so its vote is shared among its countries.
_VAT_ID, _IBAN, _POSTCODE, _PHONE, _WORD, _CURRENCY = 4.0, 3.0, 3.0, 3.0, 2.0, 2.0
_MIN_VOTES = 1.0

_PAGES = 5  # at either end of a long document: letterheads, dates and totals stand there
_DIGITS = re.compile(r"\d")


class Evidence:
    """Answers are worked out when they are first asked for: most documents ask for few."""

    def __init__(self, raw: RawExtraction, pages: Sequence[Page], hints: Hints) -> None:
        self.hints = hints
        self.language = hints.language or raw.language
        telling = pages if len(pages) <= 2 * _PAGES else (*pages[:_PAGES], *pages[-_PAGES:])
        self.text = "\n".join(page.text for page in telling)

    @property
    def decimal_mark(self) -> str | None:
        """The decimal mark that the printed amounts show, else that of the likeliest country."""
        return self.decimal_mark_and_ground[0]

    @cached_property
    def decimal_mark_and_ground(self) -> tuple[str | None, str]:
        """The decimal mark, and what decides it; nothing where it is open."""
        if mark := decimal_mark_of((self.text,)):
            return mark, "as in other amounts"
        country = self.countries[0] if self.countries else None
        mark = _mark_of(f"und_{country}") if country else None
        return mark, f"as in {country}" if mark else ""

    @cached_property
    def dates(self) -> tuple[DateMatch, ...]:
        """Every date on the pages."""
        return find_dates(self.text, self.language)

    @property
    def date_order(self) -> DateOrder | None:
        """The order of day and month in this document, or None when nothing decides it."""
        return self.date_order_and_ground[0]

    @cached_property
    def date_order_and_ground(self) -> tuple[DateOrder | None, str]:
        """The order of day and month, and what decides it; nothing where it is open."""
        if self.hints.date_order:
            return self.hints.date_order, "as hinted"
        if order := resolve_order(self.dates, OrderEvidence()):
            return order, "as other dates can only be read"
        if order := order_by_sure_days(self.dates):
            return order, "the same day is printed unambiguously"
        if order := self._order_of_countries():
            return order, f"as in {', '.join(self.countries[:2])}" if self.countries else ""
        order = resolve_order((), OrderEvidence(language=self.language))
        return order, f"as in language {self.language}" if order else ""

    def _order_of_countries(self) -> DateOrder | None:
        votes: Counter[DateOrder] = Counter()
        for country, share in self._country_votes.items():
            if order := order_of_country(country):
                votes[order] += share  # type: ignore[assignment]  # Counter adds any number
        ranked = votes.most_common(2)
        if ranked and ranked[0][1] >= _MIN_VOTES:
            rival = ranked[1][1] if len(ranked) > 1 else 0
            if ranked[0][1] >= 2 * rival:
                return ranked[0][0]
        return None

    @cached_property
    def likely_order(self) -> DateOrder:
        """The best guess where nothing decides: day first, as most of the world writes.

        In English month first, unless another country has left a sign: American documents carry
        neither tax numbers nor country codes, others in English mostly do.
        """
        if self.date_order:
            return self.date_order
        signs = {order_of_country(country) for country in self._country_votes}
        american = self.language == "en" and DateOrder.DMY not in signs
        return DateOrder.MDY if american else DateOrder.DMY

    @cached_property
    def countries(self) -> tuple[str, ...]:
        """Countries of origin for which something speaks, strongest first."""
        votes = self._country_votes
        return tuple(sorted((c for c in votes if votes[c] >= _MIN_VOTES), key=lambda c: -votes[c]))

    @cached_property
    def currency(self) -> tuple[str | None, tuple[str, ...]]:
        """The currency by what is printed, and which others it may be."""
        return self.currency_of(self.text)

    def currency_of(self, text: str) -> tuple[str | None, tuple[str, ...]]:
        """The currency that a text shows: by itself, else by the document's countries."""
        code, others = resolve_currency((text,))
        if code or not others:
            return code, others
        if named := currency_by_name(self.text, others, self.language):
            return named, tuple(other for other in others if other != named)
        return resolve_currency((text,), self.countries, self.language)

    @cached_property
    def whole_units(self) -> bool:
        """Whether amounts in this currency have no decimals in practice (yen, rupiah)."""
        code = self.hints.currency or self.currency[0]
        return code is not None and has_no_decimals(code)

    @cached_property
    def _country_votes(self) -> Mapping[str, float]:
        votes: dict[str, float] = {}
        for countries, weight in (*_numbers_of(self.text), *_words_of(self.text)):
            lands = tuple(dict.fromkeys(countries))
            for land in lands:
                votes[land] = votes.get(land, 0.0) + weight / len(lands)
        return votes


def _numbers_of(text: str) -> Iterator[tuple[tuple[str, ...], float]]:
    """Countries for which tax ids, IBANs, postcodes and phone numbers speak, with weights."""
    lines = [line for line in text.splitlines() if len(_DIGITS.findall(line)) >= 6]
    numbers = "\n".join(lines)
    for tax_id in find_tax_ids(numbers):
        if tax_id.country and (tax_id.valid or tax_id.kind in ("gst", "sst")):
            yield (tax_id.country,), _VAT_ID
    for iban in find_ibans(numbers):
        if iban.valid and iban.country:
            yield (iban.country,), _IBAN
    for phone in find_phones("\n".join(line for line in lines if "+" in line)):
        if phone.country:
            yield (phone.country,), _PHONE
    signs = country_signs()
    if signs.postcodes["US"].search(text):
        yield ("US",), _POSTCODE
    elif signs.city_with_state.search(text):
        yield ("US",), _WORD
    if signs.postcodes["CA"].search(text):
        yield ("CA",), _POSTCODE
    elif signs.postcodes["GB"].search(text):
        yield ("GB",), _POSTCODE
    if signs.north_american_phone.search(numbers):
        yield ("US", "CA"), _PHONE


def _words_of(text: str) -> Iterator[tuple[tuple[str, ...], float]]:
    """Countries for which words for tax, legal forms and the currency speak, with weights."""
    small = text.lower()
    signs = country_signs()
    for pattern, lands in signs.words:
        if pattern.search(small):
            yield lands, _WORD
    if (
        "$" in small
        and signs.tax_without_name.search(small)
        and not signs.tax_with_name.search(small)
    ):
        yield ("US",), _WORD  # other countries with a dollar have a name for theirs
    code, _ = resolve_currency((text,))
    if code and (homes := _homes_of(code)):
        yield homes, _CURRENCY


def _homes_of(code: str) -> tuple[str, ...]:
    """Countries that a currency speaks for: none for one that is used in many."""
    homes = {"EUR": ("DE", "FR", "IT", "ES", "NL", "BE", "AT", "PT", "IE"), "USD": ("US",)}
    if code in homes:
        return homes[code]
    country = code[:2]
    return (country,) if code in currencies_of_country(country) else ()


def has_no_decimals(code: str) -> bool:
    """Whether a currency is printed without decimals (by CLDR; the rupiah in practice)."""
    return code == "IDR" or get_currency_precision(code) == 0


def _mark_of(locale: str) -> str | None:
    try:
        mark = Locale.parse(locale).number_symbols["latn"]["decimal"]
    except (UnknownLocaleError, ValueError, KeyError):
        return None
    return mark if mark in (".", ",") else None

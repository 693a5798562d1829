"""A postal address on one line, taken apart as far as that is sure."""

from __future__ import annotations

import re

from lib.einvoice.invoice import PostalAddress
from lib.values.countries import country_code

# Postcode before city: `24937 Flensburg`, `114 55 Stockholm`, `1012 AB Amsterdam`, and with the
# country, `DE 24937 Flensburg` or `D-24937 Flensburg`.
_PLACE = re.compile(
    r"(?:([A-Z]{1,2})[ -])?(\d{4} [A-Z]{2}|\d{4}-\d{3}|\d{4,6}|\d{3} \d{2}|\d{2}-\d{3}) (\D.*)"
)
# Before a postcode, letters of the country's vehicles were usual.
_VEHICLE_LETTERS = {
    "A": "AT", "B": "BE", "D": "DE", "E": "ES", "F": "FR", "H": "HU", "I": "IT", "L": "LU",
    "P": "PT", "S": "SE", "FL": "LI",
}  # fmt: skip
# Where a number at the start is that of a house, and the postcode comes last.
_NUMBER_FIRST = frozenset("AU CA GB IE IN NZ SG US".split())  # noqa: SIM905 - one code table
_MOST_STREET_LINES = 3


def parse_address(text: str) -> PostalAddress:
    """Street lines, place and country of an address on one line.

    Only a country at its end and a place before that are taken out; all the rest stays, in order,
    in street lines.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    country = country_code(parts[-1]) if len(parts) > 1 else None
    if country is not None:
        parts.pop()
    postcode = city = subdivision = None
    for back in (1, 2):
        index = len(parts) - back
        place = _PLACE.fullmatch(parts[index]) if index > 0 else None
        if place is not None and country not in _NUMBER_FIRST:
            subdivision = parts[index + 1] if back > 1 else None
            letters, postcode, city = place.groups()
            country = country or _country_of(letters)
            parts = parts[:index]
            break
    lines = (*parts[: _MOST_STREET_LINES - 1], ", ".join(parts[_MOST_STREET_LINES - 1 :]))
    return PostalAddress(
        tuple(line for line in lines if line), postcode, city, subdivision, country
    )


def _country_of(letters: str | None) -> str | None:
    return _VEHICLE_LETTERS.get(letters) or country_code(letters) if letters else None

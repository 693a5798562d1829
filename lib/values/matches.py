"""What a finder of identifiers gives: where, what, and whether a checksum confirms it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentifierMatch:
    """An identifier at text[start:end]. `value` is compact and canonical.

    `valid` says that a checksum or a numbering plan confirms it; `country` is ISO 3166 when the
    identifier names one; `kind` tells apart what one finder finds.
    """

    start: int
    end: int
    value: str
    valid: bool
    country: str | None = None
    kind: str = ""
    repaired: bool = False

"""Every finder of identifiers, in one place to import from."""

from __future__ import annotations

from lib.values.bank_ids import find_bics, find_ibans
from lib.values.contacts import find_emails, find_phones, find_urls
from lib.values.matches import IdentifierMatch
from lib.values.tax_ids import find_tax_ids

__all__ = [
    "IdentifierMatch",
    "find_bics",
    "find_emails",
    "find_ibans",
    "find_phones",
    "find_tax_ids",
    "find_urls",
]

"""Vendors that are known from other documents, as corrections of those would have made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from kie_training.documents import Document
from lib.domain.vendors import KnownVendor, VendorBook

Book = Callable[[Sequence[Document]], VendorBook]
"""Which vendors are known by these documents."""


def no_vendors(_documents: Sequence[Document]) -> VendorBook:
    """None: nothing is remembered."""
    return VendorBook()


def corrected_vendors(documents: Sequence[Document]) -> VendorBook:
    """Name and address of every document as its truth spells them, each spelling counted."""
    spellings = Counter(
        (str(name), document.fields.get("vendor_address"))
        for document in documents
        if (name := document.fields.get("vendor_name"))
    )
    return VendorBook(
        tuple(
            KnownVendor(name, address, confirmations=count)
            for (name, address), count in spellings.items()
        )
    )

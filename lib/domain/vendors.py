"""Vendors that are known from before: how their names and addresses are spelt, their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from lib.domain.date_order import DateOrder
from lib.domain.text_keys import letters_and_digits


@dataclass(frozen=True)
class KnownVendor:
    """One place of one vendor, as a person confirmed it or as many documents agree on it.

    `numbers`: tax and registration ids and phone numbers, as printed. `confirmations`: how many
    documents speak for the spelling; between equally fitting spellings the more frequent one wins.
    `currency` (ISO 4217) and `date_order` are those of its documents, where they have shown it.
    """

    name: str
    address: str | None = None
    numbers: tuple[str, ...] = ()
    confirmations: int = 1
    currency: str | None = None
    date_order: DateOrder | None = None

    @cached_property
    def name_key(self) -> str:
        """The name's letters and digits."""
        return letters_and_digits(self.name)

    @cached_property
    def address_key(self) -> str:
        """The address's letters and digits; empty where none is known."""
        return letters_and_digits(self.address or "")

    @cached_property
    def number_keys(self) -> frozenset[str]:
        """The numbers' letters and digits."""
        return frozenset(filter(None, map(letters_and_digits, self.numbers)))


@dataclass(frozen=True)
class VendorBook:
    """The known vendors of one caller. Its keys are made once, not once a document."""

    vendors: tuple[KnownVendor, ...] = ()

    @cached_property
    def name_keys(self) -> tuple[str, ...]:
        """Per vendor its name key."""
        return tuple(vendor.name_key for vendor in self.vendors)

    @cached_property
    def address_keys(self) -> tuple[str, ...]:
        """Per vendor its address key."""
        return tuple(vendor.address_key for vendor in self.vendors)

    @cached_property
    def by_number(self) -> Mapping[str, tuple[int, ...]]:
        """Per number key the positions of the vendors that have it."""
        found: dict[str, list[int]] = {}
        for index, vendor in enumerate(self.vendors):
            for key in vendor.number_keys:
                found.setdefault(key, []).append(index)
        return {key: tuple(indices) for key, indices in found.items()}

"""Vendors known from before: the spelling that was confirmed, for what was read almost like it.

Evidence, never a guess: a known name or address is answered only where the page shows one that
differs in a few letters, and in no digit. So the branch at number 14 never becomes the one at 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from lib.domain.extraction import Hints
from lib.domain.text_keys import letters_and_digits
from lib.domain.vendors import KnownVendor, VendorBook
from lib.post.evidence import Evidence
from lib.post.options import Chosen, Option, Options
from lib.values.text import fold_ocr

NAME, ADDRESS = "vendor_name", "vendor_address"
_NUMBERS = ("vendor_tax_id", "vendor_registration_id", "vendor_phone")

# Edits per character of the longer text up to which two spellings are of one name or address.
_NAME_TOLERANCE = 0.12
_ADDRESS_TOLERANCE = 0.16
# The same where address or number have said already whose document it is.
_PLACED_NAME_TOLERANCE = 0.3
_LEAST_NUMBER_LENGTH = 7
_READINGS = 5  # of a field: what ranks lower is another party or noise


@dataclass(frozen=True, slots=True)
class _Match:
    """How a vendor fits the page: the options that are its name and address."""

    vendor: KnownVendor
    name: Option | None
    address: Option | None
    by_number: bool
    distance: float

    @property
    def rank(self) -> tuple[int, float, int, int]:
        """Of several: what more speaks for, what is nearer, the same punctuation, the usual one."""
        support = (self.name is not None) + (self.address is not None) + self.by_number
        spellings = ((self.name, self.vendor.name), (self.address, self.vendor.address))
        same = sum(_same_spelling(option, known) for option, known in spellings)
        return support, -self.distance, same, self.vendor.confirmations


@dataclass(frozen=True, slots=True)
class Recognised:
    """The known vendor of a document: `spelt` are the fields that are to be spelt as known."""

    vendor: KnownVendor
    spelt: Chosen

    def hints(self, evidence: Evidence) -> Hints:
        """The caller's hints, and the vendor's usual currency and order of dates where neither the
        caller nor the document decides.
        """
        hints = evidence.hints
        if evidence.date_order is None:
            hints = replace(hints, date_order=self.vendor.date_order)
        if hints.currency is None and evidence.currency[0] is None:
            hints = replace(hints, currency=self.vendor.currency)
        return hints


def recognise(options: Options, book: VendorBook) -> Recognised | None:
    """The known vendor that name, address and numbers of the document fit, if any.

    The words of a field that is spelt as known stay those of the page. What XML gives exactly is
    never changed.
    """
    names, addresses = options.get(NAME, ()), options.get(ADDRESS, ())
    if not book.vendors or any(option.exact for option in (*names[:1], *addresses[:1])):
        return None
    names, addresses = names[:_READINGS], addresses[:_READINGS]
    by_number = {i for key in _numbers(options) for i in book.by_number.get(key, ())}
    near = by_number | _near(names, book.name_keys, _NAME_TOLERANCE)
    near |= _near(addresses, book.address_keys, _ADDRESS_TOLERANCE)
    fitting = (_match(book.vendors[i], names, addresses, i in by_number) for i in sorted(near))
    best = max(filter(None, fitting), key=lambda match: match.rank, default=None)
    if best is None:
        return None
    spelt: dict[str, Option] = {}
    if best.name is not None:
        spelt[NAME] = replace(best.name, value=best.vendor.name, recalled=True)
    if best.address is not None and best.vendor.address is not None:
        spelt[ADDRESS] = replace(best.address, value=best.vendor.address, recalled=True)
    return Recognised(best.vendor, spelt)


def _near(readings: Sequence[Option], keys: Sequence[str], tolerance: float) -> set[int]:
    """The positions of the keys that a reading may be."""
    found: set[int] = set()
    for reading in readings:
        text = letters_and_digits(str(reading.value))
        scorer = Levenshtein.normalized_distance
        for _, _, index in process.extract_iter(text, keys, scorer=scorer, score_cutoff=tolerance):
            found.add(index)
    return found


def _match(
    vendor: KnownVendor, names: Sequence[Option], addresses: Sequence[Option], by_number: bool
) -> _Match | None:
    address, address_distance = _nearest(addresses, vendor.address_key, _ADDRESS_TOLERANCE)
    placed = address is not None or by_number
    # Without further evidence only the likeliest name: a lower one may be another party's.
    name, name_distance = _nearest(names if placed else names[:1], vendor.name_key, _NAME_TOLERANCE)
    if name is None and placed and names:
        name, name_distance = _placed(names[0], vendor)
    if name is None and address is None:
        return None
    return _Match(vendor, name, address, by_number, address_distance + name_distance)


def _numbers(options: Options) -> frozenset[str]:
    keys = (letters_and_digits(str(o.value)) for name in _NUMBERS for o in options.get(name, ()))
    return frozenset(key for key in keys if len(key) >= _LEAST_NUMBER_LENGTH)


def _nearest(
    readings: Iterable[Option], known: str, tolerance: float
) -> tuple[Option | None, float]:
    best: tuple[Option | None, float] = (None, 1.0)
    if not known:
        return best
    for reading in readings:
        distance = _distance(letters_and_digits(str(reading.value)), known, tolerance)
        if distance is not None and (best[0] is None or distance < best[1]):
            best = (reading, distance)
    return best


def _same_spelling(option: Option | None, known: str | None) -> bool:
    """Whether nothing but case and spacing differs, punctuation included."""
    if option is None or known is None:
        return False
    left, right = ("".join(text.casefold().split()) for text in (str(option.value), known))
    return left == right


def _placed(name: Option, vendor: KnownVendor) -> tuple[Option | None, float]:
    """The name where address or number said whose it is: a part of it, or much of it, is enough."""
    read = letters_and_digits(str(name.value))
    if not read:
        return None, 1.0
    distance = Levenshtein.normalized_distance(read, vendor.name_key)
    is_part = read in vendor.name_key or vendor.name_key in read
    if is_part or distance <= _PLACED_NAME_TOLERANCE:
        return name, distance
    return None, 1.0


def _distance(read: str, known: str, tolerance: float) -> float | None:
    """Edits per character; None above the tolerance or when a digit differs.

    A digit may only differ from a letter that recognisers take for it (0 and O, 5 and S).
    """
    distance = Levenshtein.normalized_distance(read, known, score_cutoff=tolerance)
    if distance > tolerance:
        return None
    for edit in Levenshtein.editops(read, known):
        left = read[edit.src_pos] if edit.tag != "insert" else ""
        right = known[edit.dest_pos] if edit.tag != "delete" else ""
        if (left.isdigit() or right.isdigit()) and not _look_alike(left, right):
            return None
    return distance


def _look_alike(left: str, right: str) -> bool:
    both_digits = left.isdigit() and right.isdigit()
    return bool(left and right) and not both_digits and fold_ocr(left) == fold_ocr(right)

"""Says of a document which earlier ones of its key it may be again; an aid that never fails one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from rapidfuzz import fuzz

from apps.api_cpu import logs
from apps.api_cpu.duplicates.store import DocumentIndex, SeenDocument
from lib.errors import Error
from lib.values.likeness import folded, likeness, pack, signature, unpack

# Measured: docs/duplicates.md.
_ALIKE = 0.6
_SAME_NAME = 85.0
_MOST_REPORTED = 5
_FEWEST_DIGITS = 2


class Reason(StrEnum):
    """What speaks for a duplicate, the surest first."""

    BYTES = "same_bytes"
    NUMBER = "same_number"
    NUMBER_AND_AMOUNT = "same_number_amount_date"
    TEXT = "same_text"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An earlier request with the same document. `score` in 0..1: 1, or how alike the texts are."""

    request_id: str
    reason: Reason
    score: float

    @property
    def shown(self) -> dict[str, Any]:
        """As in a response."""
        return {"request_id": self.request_id, "reason": self.reason.value, "score": self.score}


class DuplicateService:
    """The memory in a database. When that fails, documents are read without it."""

    def __init__(
        self, index: DocumentIndex, window: timedelta, clock: Callable[[], float] = time.time
    ) -> None:
        """`window`: how long a document is remembered; zero: not at all."""
        self._index = index
        self._window_s = window.total_seconds()
        self._clock = clock

    def meet(
        self,
        request_id: str,
        owner_key_id: str,
        sha256: str,
        result: Mapping[str, Any],
        words: Iterable[str],
    ) -> tuple[Duplicate, ...]:
        """Remember a document that was read; which of the owner's earlier ones it may be.

        The surest first, then the newest; at most `_MOST_REPORTED`. `words` in reading order.
        """
        if not self._window_s:
            return ()
        now = self._clock()
        document = document_of(request_id, now, sha256, result, words)
        try:
            others = self._index.meet(document, owner_key_id)
        except Error as error:
            logs.warning("duplicates were not looked for", request_id=request_id, code=error.code)
            return ()
        recent = [other for other in others if other.created_at >= now - self._window_s]
        recent.sort(key=lambda other: other.created_at, reverse=True)
        found = [same for other in recent if (same := compare(document, other)) is not None]
        order = list(Reason)
        found.sort(key=lambda same: order.index(same.reason))
        return tuple(found[:_MOST_REPORTED])

    def forget(self, request_id: str) -> None:
        """Erase what is remembered of a request. Raises `storage_unavailable`."""
        self._index.forget([request_id])

    def failed(self, request_id: str) -> None:
        """A request that was met has failed after all, and cannot be anybody's duplicate."""
        if not self._window_s:
            return
        try:
            self._index.forget([request_id])
        except Error as error:
            logs.warning("a failed request is remembered", request_id=request_id, code=error.code)

    def sweep(self) -> int:
        """Erase a batch of what is older than the window; 0 when there is nothing left."""
        return self._index.forget_before(self._clock() - self._window_s)


def compare(one: SeenDocument, other: SeenDocument) -> Duplicate | None:
    """Why two documents may be the same; None where nothing says so."""
    if one.sha256 == other.sha256:
        return Duplicate(other.request_id, Reason.BYTES, 1.0)
    same_day = one.issue_date is not None and one.issue_date == other.issue_date
    same_total = one.total is not None and one.total == other.total
    if one.number is not None and one.number == other.number:
        # Where both differ, the number is not the document's but one of its vendor's.
        if _is_same_vendor(one, other) and not (
            _differ(one.issue_date, other.issue_date) and _differ(one.total, other.total)
        ):
            return Duplicate(other.request_id, Reason.NUMBER, 1.0)
        if same_day and same_total:
            return Duplicate(other.request_id, Reason.NUMBER_AND_AMOUNT, 1.0)
    if _differ(one.issue_date, other.issue_date) or _differ(one.total, other.total):
        return None
    if one.signature is None or other.signature is None:
        return None
    score = likeness(unpack(one.signature), unpack(other.signature))
    return Duplicate(other.request_id, Reason.TEXT, round(score, 2)) if score >= _ALIKE else None


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _is_same_vendor(one: SeenDocument, other: SeenDocument) -> bool:
    if one.vendor_tax_id is not None and one.vendor_tax_id == other.vendor_tax_id:
        return True
    if one.vendor is None or other.vendor is None:
        return False
    return fuzz.ratio(one.vendor, other.vendor) >= _SAME_NAME


def document_of(
    request_id: str, now: float, sha256: str, result: Mapping[str, Any], words: Iterable[str]
) -> SeenDocument:
    """What is remembered of a document: its result's fields and its words, folded."""
    found = signature(words)
    total = result.get("total")
    number = _folded(result.get("document_number"))
    if number is not None and sum(map(str.isdigit, number)) < _FEWEST_DIGITS:
        number = None
    return SeenDocument(
        request_id=request_id,
        created_at=now,
        sha256=sha256,
        number=number,
        vendor=_folded(result.get("vendor_name")),
        vendor_tax_id=_folded(result.get("vendor_tax_id")),
        issue_date=result.get("issue_date"),
        total=None if total is None else format(Decimal(total).normalize(), "f"),
        signature=None if found is None else pack(found),
    )


def _folded(value: str | None) -> str | None:
    """At most as long as a column; None for what has neither letters nor digits."""
    return folded(value)[:200] or None if value else None

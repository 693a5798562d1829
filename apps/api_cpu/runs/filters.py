"""Which runs and items are asked for: by how they ended, and by a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How an item ended; of a run, whether it has such items. `ok` needs no review."""

    OK = "ok"
    NEEDS_REVIEW = "needs_review"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Filter:
    """None means: whatever it is. `text` is looked for without regard to case."""

    status: Status | None = None
    text: str | None = None

    def matches(self, item: Mapping[str, Any]) -> bool:
        """Whether an item is asked for: its name, error or a value has the text, or it is its id.

        Part of an id is no match: ids are random, and two digits of an amount stand in most.
        """
        if self.status is not None and status_of(item) is not self.status:
            return False
        if not self.text:
            return True
        wanted = self.text.casefold()
        if wanted == item["request_id"].casefold():
            return True
        return any(wanted in text.casefold() for text in _texts(item))


EVERYTHING = Filter()


def status_of(item: Mapping[str, Any]) -> Status:
    """How an item ended."""
    if not item["ok"]:
        return Status.FAILED
    return Status.NEEDS_REVIEW if item["needs_review"] else Status.OK


def _texts(item: Mapping[str, Any]) -> Iterator[str]:
    yield item["file"]
    if item["error"]:
        yield item["error"]["code"]
        yield item["error"]["message"]
    yield from _values(item["result"] or {})


def _values(row: Mapping[str, Any]) -> Iterator[str]:
    for value in row.values():
        if isinstance(value, list):
            for inner in value:
                yield from _values(inner)
        elif isinstance(value, Decimal):
            yield f"{value:f}"
        elif value is not None:
            yield str(value)

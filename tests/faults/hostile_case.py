"""One hostile document: what it is, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

OPENS = "opens"
UNREADABLE = "unreadable_document"


@dataclass(frozen=True)
class Hostile:
    """One document.

    `expected` is the code of the right error, or `OPENS` where every page can be read.
    """

    name: str
    build: Callable[[], bytes]
    expected: str


def half(data: bytes) -> bytes:
    """The first half, as of a broken upload."""
    return data[: len(data) // 2]

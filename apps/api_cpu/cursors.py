"""Cursors of lists that go from the newest to the oldest: where a page has ended."""

from __future__ import annotations

from apps.api_cpu.errors import invalid

Position = tuple[float, str]
"""Time, in Unix seconds, and name of a row."""


def cursor_at(position: Position) -> str:
    """The cursor of a page that ends with this row."""
    moment, name = position
    return f"{moment!r}:{name}"


def position_of(cursor: str | None) -> Position | None:
    """Where the page before has ended; None for the first. Raises `validation_error`."""
    if cursor is None:
        return None
    moment, _, name = cursor.partition(":")
    try:
        return float(moment), name
    except ValueError:
        raise invalid("cursor", "is not one that was given") from None

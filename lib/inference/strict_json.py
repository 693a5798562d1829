"""JSON that somebody else wrote, read strictly: what is ambiguous or a trap is not accepted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DEPTH = 64
"""Arrays and objects in each other; an answer has 4."""

MAX_DIGITS = 64
"""Of a number, its exponent's value included: a 5,000-digit integer is no amount."""

_HOLDERS = (dict, list)


def parse(text: str | bytes) -> Any:
    """The value that `text` holds, fractions as `Decimal`.

    Raw control characters in strings are accepted: guided decoding writes them. Raises ValueError
    (with a message of our own) for what is not UTF-8 or not JSON, for non-finite and oversized
    numbers, a repeated member, a lone surrogate, and nesting beyond `MAX_DEPTH`.
    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else _encodable(text)
        found = _DECODER.decode(decoded)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as wrong:
        raise ValueError(f"not JSON: {wrong.msg} at character {wrong.pos}") from None
    _check_depth(found)
    if "\\u" in decoded:  # only an escape is one half of a pair by now
        _check_surrogates(found)
    return found


def _check_depth(found: Any) -> None:
    """Without recursion, all of one depth at once: an answer has a thousand values."""
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            inner for value in level if isinstance(value, _HOLDERS) for inner in _within(value)
        ]
        if not level:
            return
    if any(isinstance(value, _HOLDERS) for value in level):
        raise ValueError("nested too deeply")


def _check_surrogates(found: Any) -> None:
    waiting = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            _encodable(value)
        elif isinstance(value, _HOLDERS):
            if isinstance(value, dict):
                waiting.extend(value)
            waiting.extend(_within(value))


def _within(holder: Any) -> Iterable[Any]:
    return holder.values() if isinstance(holder, dict) else holder


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(digits)


def _fraction(digits: str) -> Decimal:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number is too long")
    try:
        number = Decimal(digits)
    except InvalidOperation:
        raise ValueError("a number is too large") from None
    if abs(number.adjusted()) > MAX_DIGITS:
        raise ValueError("a number is too large")
    return number


_DECODER = json.JSONDecoder(
    strict=False,
    object_pairs_hook=_members,
    parse_constant=_constant,
    parse_int=_integer,
    parse_float=_fraction,
)

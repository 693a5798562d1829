"""JSON that somebody else wrote, read strictly: what is ambiguous or a trap is not accepted."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DEPTH = 64
"""Arrays and objects in each other; an answer has 4."""

MAX_DIGITS = 64
"""Of a number, its exponent's value included: a 5,000-digit integer is no amount."""


def parse(text: str | bytes) -> Any:
    """The value that `text` holds, fractions as `Decimal`.

    Raw control characters in strings are accepted: guided decoding writes them. Raises ValueError
    (with a message of our own) for what is not UTF-8 or not JSON, for non-finite and oversized
    numbers, a repeated member, a lone surrogate, and nesting beyond `MAX_DEPTH`.
    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        found = _DECODER.decode(decoded)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as wrong:
        raise ValueError(f"not JSON: {wrong.msg} at character {wrong.pos}") from None
    _check(found)
    return found


def _check(found: Any) -> None:
    """Depth and surrogates, without recursion."""
    waiting = [(found, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            _encodable(value)
        elif isinstance(value, dict | list):
            if depth >= MAX_DEPTH:
                raise ValueError("nested too deeply")
            if isinstance(value, dict):
                for name in value:
                    _encodable(name)
            inner = value.values() if isinstance(value, dict) else value
            waiting.extend((item, depth + 1) for item in inner)


def _encodable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None


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

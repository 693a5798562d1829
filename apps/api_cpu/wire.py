"""JSON as it leaves the server: Decimals as numbers with their printed decimals, times in UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from lib.errors import Error, Kind

_MOST_JSON_PARTS = 10_000
_MOST_DIGITS = 30
_MOST_BITS = 64
_EXACT = json.JSONDecoder(parse_float=Decimal)


def dump(value: Any, *, indent: bool = False) -> bytes:
    """UTF-8 JSON. Decimals keep their digits: `Decimal("19.90")` becomes `19.90`."""
    option = orjson.OPT_INDENT_2 if indent else 0
    return orjson.dumps(value, default=_encode, option=option)


def load_stored(data: bytes) -> Any:
    """JSON that this server wrote, fractions read as Decimal. Raises ValueError."""
    return json.loads(data, parse_float=Decimal)


def load_with_exact(data: bytes, name: str) -> dict[str, Any]:
    """An object that this server wrote, the fractions of one of its values as Decimal: to be said
    again. Those of the others are floats, as places on a page were before they were written.

    No object before the value may have the same key; within strings quotes are escaped. Raises
    ValueError.
    """
    found: dict[str, Any] = orjson.loads(data)
    text = data.decode()
    key = f'"{name}":'
    found[name], _ = _EXACT.raw_decode(text, text.index(key) + len(key))
    return found


def load_for_index(data: bytes) -> Any:
    """The same, faster and with fractions as floats: to look at, not to show. Raises ValueError."""
    return orjson.loads(data)


def load_untrusted(data: bytes | bytearray) -> Any:
    """A request's JSON; `bad_request` for anything else, NaN and deep nesting included.

    Base64 has none of the separators that are counted, so they measure what would be built of it:
    27 MB of empty objects would take a gigabyte.
    """
    if sum(map(data.count, (b"{", b"[", b","))) > _MOST_JSON_PARTS:
        raise Error("bad_request", Kind.BAD_REQUEST, "The body's JSON has too many parts.")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Error("bad_request", Kind.BAD_REQUEST, "The body is not valid JSON.") from None


def load_untrusted_exact(data: bytes) -> Any:
    """A request's JSON, fractions as Decimals of the digits sent; `bad_request` otherwise."""
    load_untrusted(data)
    try:
        return json.loads(data, parse_float=_fraction, parse_int=_whole)
    except (ValueError, ArithmeticError):
        raise Error(
            "bad_request", Kind.BAD_REQUEST, "The body has a number out of range."
        ) from None


def _fraction(digits: str) -> Decimal:
    number = Decimal(digits)
    if abs(number.adjusted()) > _MOST_DIGITS:
        # Written out in full, 1e999999 would take a megabyte.
        raise ValueError
    return number


def _whole(digits: str) -> int:
    number = int(digits)
    if number.bit_length() >= _MOST_BITS:
        # Nor could it be written again: JSON's writers take it for a 64-bit number.
        raise ValueError
    return number


def file_name(name: str) -> str:
    """A name as the system has it, as text: what is no UTF-8 in it is replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds; `moment` must be aware of its zone and in UTC."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class WireShape(BaseModel):
    """A shape on the wire. Its validator is made when it is first used: most are only documented,
    and to make all of them is a tenth of the server's start.
    """

    model_config = ConfigDict(defer_build=True)


class WireResponse(JSONResponse):
    """A response whose content goes through `dump`."""

    def render(self, content: Any) -> bytes:
        """Bytes of the body."""
        return dump(content)


def _encode(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("a number must be finite")
        # An answer has hundreds: `format` takes three times as long as `str`.
        text = str(value)
        return orjson.Fragment(format(value, "f") if "E" in text else text)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")

"""Hooks of schemathesis: a request under a key that was used says nothing of what is in it."""

from __future__ import annotations

import itertools
from typing import Any

import schemathesis

_NUMBERS = itertools.count(1)
_KEY = "Idempotency-Key"
# What schemathesis puts wherever a string of at least one character is wanted, the key among them:
# all but the first such request of a caller would be refused before its body was looked at.
_USUAL = "0"


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: Any) -> None:
    """Each usual key is one that nobody has used."""
    if case.headers and case.headers.get(_KEY) == _USUAL:
        case.headers[_KEY] = f"key-{next(_NUMBERS)}"

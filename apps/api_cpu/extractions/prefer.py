"""The `Prefer` header (RFC 7240): whether a caller waits for the answer or takes it later."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import Request

_SECONDS = re.compile(r"[0-9]{1,6}\Z")


@dataclass(frozen=True, slots=True)
class Preference:
    """`wait`: never answer 202, whatever it takes. `respond_async`: answer 202 after `patience_s`
    seconds. Neither: 202 when the server's own patience is over.
    """

    wait: bool = False
    respond_async: bool = False
    patience_s: float = 0.0


def preference_of(request: Request) -> Preference:
    """What the caller prefers. Unknown preferences are ignored, as the RFC asks."""
    preferences: dict[str, str] = {}
    for header in request.headers.getlist("prefer"):
        for part in header.split(","):
            name, _, value = part.partition(";")[0].partition("=")
            preferences.setdefault(name.strip().lower(), value.strip().strip('"'))
    seconds = preferences.get("wait", "")
    return Preference(
        wait="wait" in preferences and "respond-async" not in preferences,
        respond_async="respond-async" in preferences,
        patience_s=float(seconds) if _SECONDS.match(seconds) else 0.0,
    )

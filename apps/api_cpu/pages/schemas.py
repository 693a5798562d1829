"""Wire shapes of a page's words."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.wire import WireShape

_EXAMPLE: dict[str, Any] = {
    "request_id": "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07",
    "page": 1,
    "width": 1240,
    "height": 1754,
    "words": [
        {
            "text": "TOTAL",
            "polygon": [[0.1, 0.7], [0.2, 0.7], [0.2, 0.72], [0.1, 0.72]],
            "confidence": 0.99,
        }
    ],
}


class PageWord(WireShape):
    """A word and where it stands."""

    text: str
    polygon: list[list[float]] = Field(
        description="Four corners, each in 0..1 of the page as it is read."
    )
    confidence: float


class PageWords(WireShape):
    """The words of one page, in reading order."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    request_id: str
    page: int
    width: int = Field(description="Of the page as it was read, in pixels; for the aspect ratio.")
    height: int
    words: list[PageWord]

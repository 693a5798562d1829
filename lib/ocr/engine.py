"""What an OCR engine is: an image in, words and lines in reading order out."""

from __future__ import annotations

from typing import Protocol

from lib.domain.document import Line, PageImage


class OcrEngine(Protocol):
    """Reads one upright image in this process. Not safe to share between threads."""

    @property
    def name(self) -> str:
        """Engine, models and runtime, as artifacts name it, e.g. `pp-ocrv6-small/openvino`."""
        ...

    def recognize(self, image: PageImage) -> tuple[Line, ...]:
        """Lines in reading order, polygons in 0..1 of the image, confidences in 0..1."""
        ...

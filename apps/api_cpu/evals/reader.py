"""Who answers during an evaluation."""

from __future__ import annotations

from typing import Protocol

from lib.evaluation.evaluate import Prediction


class DocumentReader(Protocol):
    """Reads one document. Safe to share between threads."""

    @property
    def name(self) -> str:
        """As the report's `reader`: pipeline or server."""
        ...

    def read(self, document_id: str, file_name: str, data: bytes) -> Prediction:
        """What was answered; a document that could not be read has the error's code."""
        ...

"""Extractions told again: as they were answered, or as an e-invoice with the corrections."""

from __future__ import annotations

from typing import Any, Protocol

from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.extractions.service import ExtractionService, Stored
from lib.domain.task import DocumentType
from lib.einvoice.writer import Syntax, WrittenInvoice, write_einvoice
from lib.pipelines.field_reading import EINVOICE


class Corrections(Protocol):
    """Knows what persons corrected."""

    def corrected_fields(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """The corrected fields of an extraction. Raises `not_found`, `storage_unavailable`."""
        ...


class ExportService:
    """Tells extractions again. Safe to share between threads."""

    def __init__(self, extractions: ExtractionService, corrections: Corrections) -> None:
        self._extractions = extractions
        self._corrections = corrections

    def again(self, request_id: str, caller: Caller) -> Stored:
        """The answer as it was given, a failure included. Raises `not_found`."""
        return self._extractions.again(request_id, caller)

    def einvoice(
        self, request_id: str, caller: Caller, syntax: Syntax, country: str | None
    ) -> WrittenInvoice | Stored:
        """The invoice as XML, made of the result with all corrections; a failure as it was.

        `country`: as for `write_einvoice`. Raises `not_found`, `not_exportable`.
        """
        stored = self.again(request_id, caller)
        if "error" in stored.body:
            return stored
        response = stored.body
        result = response["result"] | self._corrections.corrected_fields(request_id, caller)
        return write_einvoice(
            result,
            DocumentType(response["document_type"]),
            syntax,
            has_codes=response["backend"] == EINVOICE,
            country=country,
        )

"""`GET /v1/extracts/{request_id}`: an extraction again, as JSON, CSV, UBL or CII."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.errors import invalid
from apps.api_cpu.exports.service import ExportService
from apps.api_cpu.extractions.endpoints import FAILURES
from apps.api_cpu.extractions.response import as_csv
from apps.api_cpu.extractions.schemas import ExtractResponse
from apps.api_cpu.extractions.service import Stored
from apps.api_cpu.openapi import answers
from apps.api_cpu.wire import WireResponse
from lib.einvoice.writer import Syntax, WrittenInvoice
from lib.values.countries import country_code

router = APIRouter(tags=["extractions"])

_HEADERS = {
    "X-Missing-Business-Terms": "What EN 16931 demands and the document does not say.",
    "X-Concluded-Business-Terms": "What was not read, but follows from other values.",
    "X-Broken-Business-Rules": "Sums that do not hold.",
    "X-Fields-Left-Out": "What was read and has no place in EN 16931.",
}


class Format(StrEnum):
    """How an extraction is shown."""

    JSON = "json"
    CSV = "csv"
    UBL = "ubl"
    CII = "cii"


@router.get(
    "/v1/extracts/{request_id}",
    summary="One extraction again",
    response_class=WireResponse,
    responses=answers(
        ExtractResponse,
        *FAILURES,  # those of the request that is shown again
        "not_exportable",
        headers={
            name: {"schema": {"type": "string"}, "description": f"Of an e-invoice: {text}"}
            for name, text in _HEADERS.items()
        },
        content={
            "text/csv": {
                "schema": {"type": "string"},
                "example": "field,value,raw,confidence,page,source\r\n"
                'total,19.90,"19,90 EUR",0.97,1,ocr\r\n',
            },
            "application/xml": {
                "schema": {"type": "string"},
                "example": "<?xml version='1.0' encoding='UTF-8'?>\n<Invoice>...</Invoice>\n",
            },
        },
    ),
)
def get_extract(
    request: Request,
    caller: ExtractCaller,
    request_id: Annotated[str, Path(openapi_examples={"an id": {"value": "receipt-1"}})],
    format: Annotated[Format, Query()] = Format.JSON,
    country: Annotated[
        str | None,
        Query(
            pattern="^[A-Z]{2}$",
            description="For `ubl` and `cii`: ISO 3166-1 code of a party whose address names no "
            "country, as domestic invoices rarely do.",
        ),
    ] = None,
) -> Response:
    """The answer that a request got: a failure comes with its own status and envelope.

    `json` and `csv` are what was answered. `ubl` and `cii` are an e-invoice by EN 16931, with all
    corrections; the headers and a comment in the XML say what is not complete.
    """
    service: ExportService = request.app.state.exports
    if country is not None and country_code(country) is None:
        raise invalid("country", "is no country's code")
    if format in {Format.JSON, Format.CSV}:
        return _as_answered(service.again(request_id, caller), format)
    found = service.einvoice(request_id, caller, Syntax(format.value), country)
    if isinstance(found, Stored):
        return _as_answered(found, Format.JSON)
    return _as_xml(found, request_id)


def _as_answered(stored: Stored, format: Format) -> Response:
    if format is Format.CSV and "error" not in stored.body:
        return Response(as_csv(stored.body), media_type="text/csv")
    return WireResponse(stored.body, status_code=stored.status)


def _as_xml(written: WrittenInvoice, request_id: str) -> Response:
    lists = (written.missing, written.concluded, written.broken_rules, written.left_out)
    headers = {name: ", ".join(found) for name, found in zip(_HEADERS, lists, strict=True) if found}
    headers["Content-Disposition"] = f'attachment; filename="{request_id}.xml"'
    return Response(written.xml, media_type="application/xml", headers=headers)

"""An extraction as an e-invoice, as a client sees it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_place import INVOICE_TASK, RECEIPT, Place

from lib.domain.extraction import Extraction, Hints
from lib.einvoice.reader import read_einvoice
from lib.pipelines.field_reading import EINVOICE
from lib.post.finish import finish

XML = Path(__file__).parents[1] / "unit" / "einvoice" / "xml"


def _invoice(xml: bytes) -> Extraction:
    einvoice = read_einvoice(xml)
    assert einvoice is not None
    return Extraction(
        task_id=INVOICE_TASK.id,
        backend=EINVOICE,
        model="xml",
        mime_type="application/xml",
        reading=finish(einvoice.raw, INVOICE_TASK, (), Hints(date(2026, 1, 1))),
        pages=(),
        page_count=0,
    )


@pytest.fixture
def extracted(make_place: Callable[..., Place]) -> Callable[[bytes], Place]:
    """Makes a server that has read an invoice as the request `i-1`."""

    def make(xml: bytes) -> Place:
        place = make_place()
        place.pipeline.answer = lambda: _invoice(xml)
        _extract(place, "i-1")
        return place

    return make


def _extract(place: Place, request_id: str, data: bytes = RECEIPT) -> httpx.Response:
    body = {"image_base64": base64.b64encode(data).decode(), "request_id": request_id}
    return place.client.post("/v1/extract", json=body)


def _export(place: Place, **query: Any) -> httpx.Response:
    return place.client.get("/v1/extracts/i-1", params=query)


def _value(answer: httpx.Response, field: str) -> Any:
    assert answer.status_code == 200, answer.text
    einvoice = read_einvoice(answer.content)
    assert einvoice is not None
    return einvoice.raw.fields[field][0].value


@pytest.mark.parametrize("syntax", ["ubl", "cii"])
def test_a_complete_invoice_has_nothing_to_say(
    extracted: Callable[[bytes], Place], syntax: str
) -> None:
    answer = _export(extracted((XML / "cii.xml").read_bytes()), format=syntax)

    assert answer.headers["content-type"] == "application/xml"
    assert answer.headers["content-disposition"] == 'attachment; filename="i-1.xml"'
    assert _value(answer, "document_number") == "RE-2024-17"
    assert not [name for name in answer.headers if name.startswith(("x-missing", "x-broken"))]
    assert "<!--" not in answer.text


def test_what_is_missing_is_said_in_a_header_and_in_the_file(
    extracted: Callable[[bytes], Place],
) -> None:
    place = extracted((XML / "peppol.xml").read_bytes())
    answer = _export(place, format="cii")

    assert answer.headers["x-missing-business-terms"] == "BG-8, BT-9, BT-31"
    assert "BG-8 buyer postal address" in answer.text


def test_corrections_are_in_the_e_invoice_and_not_in_the_answer(
    extracted: Callable[[bytes], Place],
) -> None:
    place = extracted((XML / "peppol.xml").read_bytes())
    fields = {"customer_address": "Elm Street 1, Springfield", "due_date": "2026-02-01"}
    sent = place.client.post("/v1/extracts/i-1/corrections", json={"fields": fields})
    assert sent.status_code == 201

    answer = _export(place, format="ubl")
    assert _value(answer, "due_date") == "2026-02-01"
    assert answer.headers["x-missing-business-terms"] == "BT-31, BT-55"
    assert place.client.get("/v1/extracts/i-1").json()["result"]["due_date"] is None

    answer = _export(place, format="ubl", country="US")
    assert answer.headers["x-missing-business-terms"] == "BT-31"
    assert answer.headers["x-concluded-business-terms"] == "BT-55"
    assert _value(answer, "customer_address") == "Elm Street 1, Springfield, US"


def test_without_a_number_there_is_no_e_invoice(extracted: Callable[[bytes], Place]) -> None:
    number = b"RE-<!-- split by a comment -->2024-17"
    xml = (XML / "cii.xml").read_bytes()
    assert number in xml
    xml = xml.replace(number, b"")
    answer = _export(extracted(xml), format="ubl")

    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "not_exportable"
    assert error["details"] == {"reason": "incomplete", "missing": ["BT-1"]}
    assert "invoice number" in error["message"]


def test_a_receipt_is_no_e_invoice(place: Place) -> None:
    assert _extract(place, "i-1").status_code == 200
    error = _export(place, format="cii").json()["error"]

    assert (error["code"], error["details"]["reason"]) == ("not_exportable", "not_an_invoice")
    assert _export(place, format="csv").status_code == 200


def test_a_failure_stays_what_it_was(place: Place) -> None:
    _extract(place, "i-1", b"unsupported")
    for syntax in ("json", "csv", "ubl", "cii"):
        answer = _export(place, format=syntax)
        assert answer.status_code == 415
        assert answer.json()["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize("country", ["de", "DEU", "XX", "EU"])
def test_a_country_is_a_code(place: Place, country: str) -> None:
    _extract(place, "i-1")
    answer = _export(place, format="ubl", country=country)
    assert answer.json()["error"]["code"] == "validation_error"


def test_what_is_somebody_elses_is_not_there(locked: Place) -> None:
    locked.pipeline.answer = lambda: _invoice((XML / "cii.xml").read_bytes())
    mine, other = locked.headers(), locked.headers()
    body = {"image_base64": base64.b64encode(RECEIPT).decode(), "request_id": "i-1"}
    assert locked.client.post("/v1/extract", json=body, headers=mine).status_code == 200
    url, query = "/v1/extracts/i-1", {"format": "ubl"}
    assert locked.client.get(url, params=query, headers=mine).status_code == 200
    assert locked.client.get(url, params=query, headers=other).status_code == 404

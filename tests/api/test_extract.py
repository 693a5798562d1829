"""`POST /v1/extract` and the look-up, as a client sees them."""

from __future__ import annotations

import base64

from conftest import RECEIPT, Place

from apps.api_cpu.extractions.schemas import ExtractResponse

B64 = base64.b64encode(RECEIPT).decode()


def test_json_body_is_answered_with_the_contracts_response(place: Place) -> None:
    answer = place.client.post("/v1/extract", json={"image_base64": B64, "request_id": "r-1"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "r-1"
    body = answer.json()
    ExtractResponse.model_validate(body)
    assert '"total":19.90' in answer.text, "money keeps its printed decimals"
    assert body["fields"]["total"]["polygon"][0] == [0.12346, 0.2]
    assert body["artifact_rel"].endswith("/r-1.json")
    assert {"load", "store", "total"} <= body["timings_ms"].keys()
    assert "words" not in body["pages"][0]

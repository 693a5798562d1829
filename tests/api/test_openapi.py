"""The OpenAPI document: whole, with examples, and true to the routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api_place import TASKS, Place
from jsonschema import Draft202012Validator

# The endpoints that this build has.
ENDPOINTS = {
    ("post", "/v1/extract_async"),
    ("get", "/v1/jobs"),
    ("get", "/v1/jobs/{job_id}"),
    ("get", "/v1/jobs/{job_id}/events"),
    ("post", "/v1/jobs/{job_id}/cancel"),
    ("get", "/v1/health"),
    ("get", "/v1/me"),
    ("get", "/v1/tasks"),
    ("get", "/v1/tasks/{task_id}"),
    ("post", "/v1/extract"),
    ("get", "/v1/extracts/{request_id}"),
    ("get", "/v1/extracts/{request_id}/pages/{number}.png"),
    ("get", "/v1/extracts/{request_id}/words"),
    ("get", "/v1/artifacts"),
    ("get", "/v1/corrections"),
    ("post", "/v1/uploads"),
    ("put", "/v1/uploads/{upload_id}"),
    ("get", "/v1/inputs"),
    ("delete", "/v1/extracts/{request_id}"),
    ("get", "/v1/debug/artifacts"),
    ("get", "/v1/debug/artifacts/backup.tar.gz"),
    ("get", "/v1/debug/artifacts/{request_id}"),
    ("get", "/v1/debug/artifacts/{request_id}/raw"),
    ("post", "/v1/extracts/{request_id}/corrections"),
    ("get", "/v1/extracts/{request_id}/corrections"),
    ("get", "/v1/vendors"),
    ("post", "/v1/batch_extract"),
    ("post", "/v1/batch_extract_async"),
    ("post", "/v1/batch_extract_upload"),
    ("post", "/v1/batch_extract_upload_async"),
    ("post", "/v1/batch_extract_rerun"),
    ("post", "/v1/batch_extract_rerun_async"),
    ("get", "/v1/webhooks/deliveries"),
    ("post", "/v1/webhooks/deliveries/{delivery_id}/replay"),
    ("get", "/v1/runs"),
    ("get", "/v1/runs/{run_id}"),
    ("get", "/v1/runs/{run_id}/items"),
    ("post", "/v1/evals"),
    ("get", "/v1/evals/{eval_id}"),
    ("delete", "/v1/vendors"),
    ("delete", "/v1/vendors/{vendor_id}"),
}


def _document(place: Place) -> dict[str, Any]:
    document: dict[str, Any] = place.client.get("/openapi.json").json()
    return document


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from _walk(child)


def test_it_has_exactly_the_endpoints_of_this_build(place: Place) -> None:
    paths = _document(place)["paths"]
    assert {(method, path) for path, by in paths.items() for method in by} == ENDPOINTS


def test_every_reference_leads_somewhere(place: Place) -> None:
    document = _document(place)
    references = {node["$ref"] for node in _walk(document) if isinstance(node.get("$ref"), str)}
    assert references
    for reference in references:
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_every_failure_is_the_envelope_with_an_example_a_code(place: Place) -> None:
    document = _document(place)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "500" in operation["responses"], path
            assert ("401" in operation["responses"]) == ("security" in operation)
            for status, response in operation["responses"].items():
                assert "X-Request-ID" in response["headers"]
                if status in {"200", "201", "202", "204"}:
                    continue
                content = response["content"]["application/json"]
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorEnvelope"}
                for code, example in content["examples"].items():
                    assert example["value"]["error"]["code"] == code
                    assert f"`{code}`" in response["description"]


def test_examples_fit_their_schemas(place: Place) -> None:
    document = _document(place)
    checked = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
            Draft202012Validator(whole).validate(example)
            checked += 1
    assert checked >= 6


def test_tasks_are_shown_with_the_schemas_of_their_results(place: Place) -> None:
    tasks = place.client.get("/v1/tasks").json()["tasks"]
    assert [task["id"] for task in tasks] == sorted(TASKS)
    receipt = place.client.get("/v1/tasks/receipt_fields_v1").json()
    Draft202012Validator.check_schema(receipt["schema"])
    assert receipt["fields"][2]["columns"][0]["name"] == "amount"
    auto = place.client.get("/v1/tasks/auto").json()
    assert auto["choices"] == ["receipt_fields_v1"]
    assert auto["schema"] is None
    assert place.client.get("/v1/tasks/none").status_code == 404


def test_health_says_degraded_when_the_store_fails(place: Place) -> None:
    assert place.client.get("/v1/health").json()["status"] == "ok"
    place.app.state.readiness.storage = False
    health = place.client.get("/v1/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert health.json()["storage"] == {"backend": "local", "ready": False, "spooled": 0}


def test_no_list_gives_more_entries_at_once_than_it_says(shared_place: Place) -> None:
    lists = [
        (path, parameter["schema"]["maximum"])
        for path, operations in shared_place.app.openapi()["paths"].items()
        for parameter in operations.get("get", {}).get("parameters", ())
        if parameter.get("name") == "limit"
    ]
    assert len(lists) >= 4
    for path, most in lists:
        url = path.replace("{run_id}", "none")
        assert shared_place.client.get(url, params={"limit": most}).status_code in {200, 404}, url
        refused = shared_place.client.get(url, params={"limit": most + 1})
        assert refused.status_code == 422, url
        assert refused.json()["error"]["code"] == "validation_error"

"""OpenAPI: how endpoints document their errors, and the document's own additions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from apps.api_cpu.errors import ERROR_CODES, ErrorCode
from apps.api_cpu.request_context import REQUEST_ID_PATTERN
from apps.api_cpu.wire import WireShape

_EXAMPLE_ID = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"
_EXAMPLE_DETAILS: Mapping[str, Mapping[str, Any]] = {
    "forbidden": {"required_scopes": ["debug:run"]},
    "payload_too_large": {"limit": 20971520},
    "too_many_files": {"limit": 5000},
    "too_many_pages": {"limit": 50},
    "validation_error": {"errors": [{"field": "task_id", "message": "Input should be a string"}]},
}
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
_DESCRIPTION = """Reads receipts and invoices: checked, typed fields with their place on the page.

Send the key as `Authorization: Bearer <api_key>` or `X-API-Key: <api_key>`. Every response carries
`X-Request-ID`; every failure has the same envelope, whatever failed.
"""


IDEMPOTENCY_KEY: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key with the same body within 24 hours gets the first answer again, "
    "with `Idempotent-Replayed: true`, and nothing is done twice.",
}


def body_of(
    model: type[BaseModel], examples: Mapping[str, Any], kind: str = "application/json"
) -> dict[str, Any]:
    """The body of a request that the endpoint reads itself; `examples` by their names."""
    shown: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
    if examples:
        shown["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {kind: shown}}


class ErrorBody(WireShape):
    """What went wrong."""

    code: str = Field(description="Stable; see docs/errors.md.")
    message: str
    request_id: str
    details: dict[str, Any]


class ErrorEnvelope(WireShape):
    """The body of every failure."""

    error: ErrorBody


# By reference: of a model FastAPI makes a field for each endpoint and status, which the server's
# start would wait for. `install` adds the model itself.
_ENVELOPE = {"$ref": f"#/components/schemas/{ErrorEnvelope.__name__}"}

Responses = dict[int | str, dict[str, Any]]


def answers(model: type[BaseModel], *codes: str, **more: Any) -> Responses:
    """The `responses` of an endpoint that builds its response itself; `more` adds to the 200."""
    ok: Responses = {200: {"model": model, **more}}
    return ok | errors(*codes)


def promised(model: type[BaseModel], **more: Any) -> Responses:
    """The 202 of an endpoint that starts work which ends later."""
    location = {"schema": {"type": "string"}, "description": "Where the job is looked at."}
    return {202: {"model": model, "headers": {"Location": location}, **more}}


def errors(*codes: str) -> Responses:
    """The `responses` of an endpoint that may fail with these codes, or as every endpoint may: for
    a bad `X-Request-ID`, or with a fault of ours.
    """
    wanted = {*codes, "validation_error", "internal_error"}
    if "unauthorized" in wanted:  # whoever asks for keys counts their requests
        wanted.add("rate_limited")
    unknown = wanted - {entry.code for entry in ERROR_CODES}
    if unknown:
        raise ValueError(f"not in the error table: {sorted(unknown)}")
    by_status: dict[int | str, list[ErrorCode]] = {}
    for entry in ERROR_CODES:
        if entry.code in wanted:
            by_status.setdefault(entry.status, []).append(entry)
    return {
        status: {
            "description": " ".join(f"`{entry.code}`: {entry.when}" for entry in entries),
            "content": {
                "application/json": {
                    "examples": {e.code: _example(e) for e in entries},
                    "schema": _ENVELOPE,
                }
            },
        }
        for status, entries in by_status.items()
    }


def _example(entry: ErrorCode) -> dict[str, Any]:
    body = ErrorBody(
        code=entry.code,
        message=entry.when.split(";")[0].rstrip(".") + ".",
        request_id=_EXAMPLE_ID,
        details=dict(_EXAMPLE_DETAILS.get(entry.code, {})),
    )
    return {"value": ErrorEnvelope(error=body).model_dump()}


def install(app: FastAPI, models: Iterable[type[BaseModel]]) -> None:
    """Make `app.openapi()` add what FastAPI leaves out.

    Keys; the request id in every request and response; `models`: those of bodies that endpoints
    read themselves, and those whose examples hold a null, which FastAPI drops.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=_DESCRIPTION,
                routes=app.routes,
                servers=[{"url": "http://127.0.0.1:8000"}],
            )
            _add_models(document, (*models, ErrorEnvelope))
            app.openapi_schema = _completed(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _add_models(document: dict[str, Any], models: Iterable[type[BaseModel]]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _drop_fastapis_own(responses: dict[str, Any]) -> None:
    """Remove the 422 that FastAPI adds wherever there are parameters: ours is the envelope."""
    for status, response in list(responses.items()):
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").rpartition("/")[2] in _FASTAPIS_OWN:
            del responses[status]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    components["parameters"] = {
        "RequestId": {
            "name": "X-Request-ID",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": REQUEST_ID_PATTERN},
            "description": "Names the request; made by the server when missing.",
        }
    }
    for name in _FASTAPIS_OWN:
        components.get("schemas", {}).pop(name, None)
    header = {"X-Request-ID": {"schema": {"type": "string"}, "description": "The request's id."}}
    for operations in document["paths"].values():
        for operation in operations.values():
            _drop_fastapis_own(operation["responses"])
            parameters = operation.setdefault("parameters", [])
            parameters.append({"$ref": "#/components/parameters/RequestId"})
            if "401" in operation["responses"]:
                operation["security"] = [{"bearer": []}, {"api_key": []}]
            for response in operation["responses"].values():
                response.setdefault("headers", {}).update(header)
    return document

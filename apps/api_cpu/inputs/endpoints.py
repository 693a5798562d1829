"""`POST /v1/uploads`, `PUT /v1/uploads/{upload_id}` and `GET /v1/inputs`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response, StreamingResponse

from apps.api_cpu.auth.endpoints import ExtractCaller, count_failure
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import from_validation
from apps.api_cpu.held_open import HeldOpen
from apps.api_cpu.inputs.content import media_type_of
from apps.api_cpu.inputs.schemas import UPLOAD_EXAMPLE, UploadRequest, UploadView
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.uploads import Announced, UploadService
from apps.api_cpu.openapi import body_of, errors
from apps.api_cpu.wire import WireResponse, load_untrusted
from lib.errors import Error, Kind

router = APIRouter(tags=["inputs"])

SHOWN_MODELS = (UploadRequest,)
"""Models that the OpenAPI document would lack."""

_CHUNK = 256 * 1024
# Whatever a document holds: a browser saves it, and neither runs nor frames anything of it.
_SAFE_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/v1/uploads",
    summary="Announce the upload of a large document",
    status_code=201,
    response_class=WireResponse,
    openapi_extra={"requestBody": body_of(UploadRequest, {"a large scan": UPLOAD_EXAMPLE})},
    responses={
        201: {"model": UploadView},
        **errors(
            "bad_request",
            "unauthorized",
            "forbidden",
            "payload_too_large",
            "validation_error",
            "rate_limited",
            "storage_unavailable",
        ),
    },
)
async def announce(request: Request, caller: ExtractCaller) -> WireResponse:
    """Then send it with that method, address and headers, and name it as `image_ref`."""
    service: UploadService = request.app.state.uploads
    try:
        sent = UploadRequest.model_validate(load_untrusted(await request.body()))
    except ValidationError as error:
        raise from_validation(error) from None
    announced = Announced(sent.sha256, sent.size_bytes, sent.mime_type)
    return WireResponse(
        await run_in_threadpool(service.announce, announced, caller), status_code=201
    )


@router.put(
    "/v1/uploads/{upload_id}",
    summary="Send a document that was announced",
    status_code=204,
    response_class=Response,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}},
        "parameters": [
            {
                "name": "X-Upload-Token",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
            }
        ],
    },
    responses=errors(
        "bad_request",
        "not_found",
        "payload_too_large",
        "validation_error",
        "rate_limited",
        "storage_unavailable",
    ),
)
async def upload(
    request: Request, upload_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
) -> Response:
    """With the announcement's headers, where it names this server; else the bucket takes it."""
    service: UploadService = request.app.state.uploads
    held: HeldOpen = request.app.state.uploads_open
    with held.counted(upload_id):
        try:
            await service.take(upload_id, request.headers, request.stream())
        except Error as error:
            if error.kind is Kind.NOT_FOUND:
                # A token is as good a thing to guess as a key.
                count_failure(request, "upload tokens")
            raise
    return Response(status_code=204)


@router.get(
    "/v1/inputs",
    summary="A stored input, for whoever may name it",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/octet-stream": _BINARY}},
        **errors(
            "unauthorized", "forbidden", "not_found", "validation_error", "storage_unavailable"
        ),
    },
)
async def stored_input(
    request: Request,
    caller: ExtractCaller,
    ref: Annotated[str, Query(max_length=300, description="An `input_ref` or `image_ref`.")],
    redirect: Annotated[
        bool, Query(description="307 to the bucket itself, for a minute, where there is one.")
    ] = False,
) -> Response:
    """To be saved, never shown: it is whatever somebody sent."""
    service: InputStore = request.app.state.inputs
    if redirect:
        address = await run_in_threadpool(service.address, ref, caller)
        if address is not None:
            return RedirectResponse(address, headers={"Cache-Control": "no-store"})
    chunks = _chunks(service, ref, caller)
    # Opened here, where a failure still has an envelope; an empty input has no chunk.
    first = await run_in_threadpool(next, chunks, b"")
    name = ref.rpartition("/")[2]
    return StreamingResponse(
        chain((first,), chunks),
        media_type=media_type_of(ref),
        headers=_SAFE_HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _chunks(service: InputStore, ref: str, caller: Caller) -> Iterator[bytes]:
    with service.opened(ref, caller) as file:
        while chunk := file.read(_CHUNK):
            yield chunk

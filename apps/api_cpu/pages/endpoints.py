"""`GET /v1/extracts/{request_id}/pages/{number}.png` and `GET /v1/extracts/{request_id}/words`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.long_work import LongWork
from apps.api_cpu.openapi import answers, errors
from apps.api_cpu.pages.cache import ImageKey
from apps.api_cpu.pages.schemas import PageWords
from apps.api_cpu.pages.service import PageService
from apps.api_cpu.wire import WireResponse

router = APIRouter(tags=["extractions"])

_RequestId = Annotated[str, Path(max_length=128, openapi_examples={"id": {"value": "receipt-1"}})]
_FAILURES = ("unauthorized", "forbidden", "not_found", "validation_error", "storage_unavailable")
_OF_THE_DOCUMENT = (
    "unsupported_media_type",
    "unreadable_document",
    "encrypted_document",
    "too_many_pages",
    "page_too_large",
    "empty_document",
)
# Pixels of a document: nothing of it is ever run or framed, and no shared cache keeps it.
_IMAGE_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@router.get(
    "/v1/extracts/{request_id}/pages/{number}.png",
    summary="A page of the document, as an image",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
        **errors(
            *_OF_THE_DOCUMENT,
            "input_not_persisted",
            "inference_timeout",
            "rate_limited",
            *_FAILURES,
        ),
    },
)
async def page_image(
    request: Request,
    caller: ExtractCaller,
    request_id: _RequestId,
    number: Annotated[int, Path(ge=1, le=2000)],
    width: Annotated[
        int, Query(ge=50, le=3000, description="At most so many pixels; never enlarged.")
    ] = 1200,
) -> Response:
    """Upright as it was read, so that polygons lie where they belong. Only of kept inputs."""
    service: PageService = request.app.state.pages
    drawing: LongWork = request.app.state.drawing
    wanted = ImageKey(request_id, number, width)
    image = await run_in_threadpool(service.drawn, wanted, caller)
    if image is None:
        image = await drawing.run(caller.key_id, partial(service.image, wanted, caller))
    return Response(image.data, media_type=image.media_type, headers=_IMAGE_HEADERS)


@router.get(
    "/v1/extracts/{request_id}/words",
    summary="The words of a page, with their places",
    response_class=WireResponse,
    responses=answers(PageWords, *_FAILURES),
)
def page_words(
    request: Request,
    caller: ExtractCaller,
    request_id: _RequestId,
    page: Annotated[int, Query(ge=1, le=2000)] = 1,
) -> WireResponse:
    """What the OCR or the text layer says, with the confidence of each word."""
    service: PageService = request.app.state.pages
    return WireResponse(service.words(request_id, page, caller))

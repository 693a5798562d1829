"""`GET /v1/webhooks/deliveries` and `POST /v1/webhooks/deliveries/{delivery_id}/replay`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.openapi import answers, errors
from apps.api_cpu.webhooks.schemas import DELIVERY_EXAMPLE, DeliveryPage, DeliveryView
from apps.api_cpu.webhooks.service import WebhookService
from apps.api_cpu.webhooks.store import State
from apps.api_cpu.wire import WireResponse

router = APIRouter(tags=["webhooks"])

SHOWN_MODELS = (DeliveryPage, DeliveryView)
"""Models that the OpenAPI document would lack, or have without nulls."""

_FAILURES = ("unauthorized", "forbidden", "validation_error", "storage_unavailable")
_DeliveryId = Annotated[
    str,
    Path(
        max_length=64, openapi_examples={"a delivery": {"value": DELIVERY_EXAMPLE["delivery_id"]}}
    ),
]


@router.get(
    "/v1/webhooks/deliveries",
    summary="Webhooks, newest first",
    response_class=WireResponse,
    responses=answers(DeliveryPage, *_FAILURES),
)
def list_deliveries(
    request: Request,
    caller: ExtractCaller,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="Of the page before.")] = None,
) -> WireResponse:
    """Of the key's own jobs; all of them for an admin. `undelivered` are those given up."""
    service: WebhookService = request.app.state.webhooks
    return WireResponse(service.page(caller, state, cursor, limit))


@router.post(
    "/v1/webhooks/deliveries/{delivery_id}/replay",
    status_code=202,
    summary="Send a webhook again",
    response_class=WireResponse,
    responses={202: {"model": DeliveryView}, **errors("not_found", *_FAILURES)},
)
def replay(request: Request, caller: ExtractCaller, delivery_id: _DeliveryId) -> WireResponse:
    """At once, and for another day if need be; with the same `webhook-id` and body as before."""
    service: WebhookService = request.app.state.webhooks
    return WireResponse(service.replay(delivery_id, caller), status_code=202)

"""Wire shapes of webhooks' deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.webhooks.sender import Problem
from apps.api_cpu.webhooks.store import Delivery, State
from apps.api_cpu.wire import WireShape, timestamp

_ID = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"
DELIVERY_EXAMPLE: dict[str, Any] = {
    "delivery_id": _ID,
    "job_id": "0199f3a1-70aa-7c11-8d2e-5f0e8d1c2b3a",
    "event": "job.succeeded",
    "url": "https://example.com/hooks/ocr",
    "state": "undelivered",
    "created_at": "2026-11-20T09:30:00.000Z",
    "attempts": 11,
    "last_attempt_at": "2026-11-21T07:58:21.004Z",
    "last_problem": "status",
    "last_status": 500,
    "next_attempt_at": None,
}


class DeliveryView(WireShape):
    """A webhook and how far it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [DELIVERY_EXAMPLE]})

    delivery_id: str = Field(description="The same as its `webhook-id`.")
    job_id: str
    event: str
    url: str
    state: State
    created_at: str
    attempts: int
    last_attempt_at: str | None
    last_problem: Problem | None = Field(description="Null when it was heard.")
    last_status: int | None = Field(description="What the receiver answered, if it did.")
    next_attempt_at: str | None


class DeliveryPage(WireShape):
    """Deliveries, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"deliveries": [DELIVERY_EXAMPLE], "next_cursor": None}]}
    )

    deliveries: list[DeliveryView]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


def shown(delivery: Delivery) -> dict[str, Any]:
    """A delivery as its owner sees it."""
    waits = delivery.state is State.PENDING
    return {
        "delivery_id": delivery.delivery_id,
        "job_id": delivery.job_id,
        "event": delivery.event,
        "url": delivery.url,
        "state": delivery.state,
        "created_at": _moment(delivery.created_at),
        "attempts": delivery.attempts,
        "last_attempt_at": _moment(delivery.last_at),
        "last_problem": delivery.last_problem,
        "last_status": delivery.last_status,
        "next_attempt_at": _moment(delivery.next_at) if waits else None,
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(datetime.fromtimestamp(seconds, UTC))

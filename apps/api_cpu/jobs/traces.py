"""What a trace says of jobs, in OpenTelemetry's words for messaging: the table is the queue.

Sending a job creates the messages, an item is one, and a worker processes it: as a child of what
sent it where that was one document, so that one trace shows all of it. The items of a batch have
traces of their own, linked to it: one of thousands of documents would be more than collectors take.
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

from apps.api_cpu.jobs.rows import Claim, Kind
from lib.domain.tracing import Attributes

_DESTINATION = "ocr-items"
SEND = f"send {_DESTINATION}"
PROCESS = f"process {_DESTINATION}"
_QUEUE = {"messaging.system": "ocr-service", "messaging.destination.name": _DESTINATION}


def sending(job_id: str, items: int) -> Attributes:
    """Of a span that accepts a job with so many items."""
    return {
        **_QUEUE,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.message.conversation_id": job_id,
        "messaging.batch.message_count": items,
        "ocr.job.id": job_id,
    }


def processing(claim: Claim) -> Attributes:
    """Of a span that works on an item."""
    job, item = claim.job, claim.item
    return {
        **_QUEUE,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": item.request_id,
        "messaging.message.conversation_id": job.job_id,
        "ocr.job.id": job.job_id,
        "ocr.job.kind": job.kind.value,
        "ocr.item.number": item.number,
        "ocr.item.attempt": item.attempts,
        "ocr.request.id": item.request_id,
        "ocr.key.id": job.owner_key_id,
        "ocr.worker.id": item.worker_id,
    }


def is_linked(claim: Claim) -> bool:
    """Whether the item has a trace of its own."""
    return claim.job.kind is not Kind.EXTRACT

"""Wire shapes of the vendor memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.vendors.store import StoredVendor, VendorSource
from apps.api_cpu.wire import WireShape, timestamp
from lib.domain.date_order import DateOrder

_EXAMPLE: dict[str, Any] = {
    "vendor_id": "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07",
    "name": "Corner Shop Ltd",
    "address": "1 High Street, Oxford OX1 4AB",
    "numbers": ["GB123456789"],
    "currency": "GBP",
    "date_order": "DMY",
    "source": "correction",
    "known": True,
    "documents": 7,
    "first_seen_at": "2026-11-20T09:30:00.000Z",
    "last_seen_at": "2026-11-21T10:00:00.000Z",
}


class VendorView(WireShape):
    """One spelling of a vendor's name and address."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    vendor_id: str
    name: str
    address: str | None
    numbers: list[str] = Field(description="Tax and registration ids, phone numbers.")
    currency: str | None = Field(description="Of its documents, where they are sure of it.")
    date_order: DateOrder | None = Field(description="Of its numeric dates, where they show it.")
    source: VendorSource = Field(description="What speaks for it.")
    known: bool = Field(
        description="Whether it is used: confirmed by a correction, or repeated often enough."
    )
    documents: int = Field(description="Documents that showed it.")
    first_seen_at: str
    last_seen_at: str


class VendorList(WireShape):
    """All vendors of the caller's key, the last seen first."""

    vendors: list[VendorView]


class Erased(WireShape):
    """How many vendors were erased."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"erased": 12}]})

    erased: int


def vendor_view(row: StoredVendor) -> VendorView:
    """A vendor as its owner sees it."""
    return VendorView(
        vendor_id=row.vendor_id,
        name=row.name,
        address=row.address or None,
        numbers=list(row.numbers),
        currency=row.currency,
        date_order=row.date_order,
        source=row.source,
        known=row.is_known,
        documents=row.documents,
        first_seen_at=_utc(row.first_seen_at),
        last_seen_at=_utc(row.last_seen_at),
    )


def _utc(moment: datetime) -> str:
    return timestamp(moment.replace(tzinfo=UTC))

"""`GET /v1/vendors`, `DELETE /v1/vendors` and `DELETE /v1/vendors/{vendor_id}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.errors import not_found
from apps.api_cpu.openapi import errors
from apps.api_cpu.vendors.schemas import Erased, VendorList, vendor_view
from apps.api_cpu.vendors.service import VendorService

router = APIRouter(tags=["vendors"])


@router.get(
    "/v1/vendors",
    summary="The vendors that the caller's key has met",
    responses=errors("unauthorized", "forbidden", "storage_unavailable"),
)
def vendors(request: Request, caller: ExtractCaller) -> VendorList:
    """Everything that is kept of them; it is used only for documents of the same key."""
    service: VendorService = request.app.state.vendors
    return VendorList(vendors=[vendor_view(row) for row in service.all(caller.key_id)])


@router.delete(
    "/v1/vendors",
    summary="Forget all vendors of the caller's key",
    responses=errors("unauthorized", "forbidden", "storage_unavailable"),
)
def erase_all(request: Request, caller: ExtractCaller) -> Erased:
    """Extractions, corrections and their artifacts stay as they are."""
    service: VendorService = request.app.state.vendors
    return Erased(erased=service.erase(caller.key_id))


@router.delete(
    "/v1/vendors/{vendor_id}",
    summary="Forget one vendor",
    responses=errors("unauthorized", "forbidden", "not_found", "storage_unavailable"),
)
def erase(
    request: Request,
    caller: ExtractCaller,
    vendor_id: Annotated[str, Path(max_length=36)],
) -> Erased:
    """One of the caller's own."""
    service: VendorService = request.app.state.vendors
    if not service.erase(caller.key_id, vendor_id):
        raise not_found()
    return Erased(erased=1)

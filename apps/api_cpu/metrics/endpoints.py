"""`GET /metrics`."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from pydantic import SecretStr
from starlette.responses import Response

from apps.api_cpu.auth.endpoints import count_failure
from apps.api_cpu.errors import not_found
from apps.api_cpu.metrics.registry import CONTENT_TYPE, Metrics
from apps.api_cpu.settings import is_loopback

router = APIRouter()

# A proxy on this machine is not the caller.
_FORWARDED = ("forwarded", "x-forwarded-for")


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """For whoever sends `METRICS_TOKEN`; without one, for callers of this machine only.

    A wrong token counts as a wrong API key does.
    """
    token: SecretStr | None = request.app.state.metrics_token
    if not (_is_local(request) if token is None else _knows(request, token)):
        if token is not None and "authorization" in request.headers:
            count_failure(request, "tokens")
        # As if it were not there: an outsider learns nothing.
        raise not_found()
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE)


def _knows(request: Request, token: SecretStr) -> bool:
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(sent.encode(), token.get_secret_value().encode())


def _is_local(request: Request) -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    return request.client is not None and is_loopback(request.client.host)

"""Who calls: the dependencies that other endpoints use, and `GET /v1/me`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from apps.api_cpu.auth.roles import LOCAL_ADMIN, Caller, Scope
from apps.api_cpu.auth.schemas import Me
from apps.api_cpu.auth.service import KeyService, unauthorized
from apps.api_cpu.openapi import errors
from apps.api_cpu.rate_limits import RateLimit, network_of, rate_limited
from apps.api_cpu.request_context import context_of
from lib.errors import Error, Kind

router = APIRouter(tags=["keys"])


@dataclass(frozen=True, slots=True)
class AccessLimits:
    """How often a key may be used, and wrong secrets may come from an address; None for no limit.

    Secrets are API keys, the token of metrics, and those of uploads.
    """

    requests: RateLimit | None = None
    failures: RateLimit | None = None


async def authenticated(request: Request) -> Caller:
    """The caller; a local admin when keys are not asked for.

    Raises `unauthorized` without a valid key; `rate_limited` for too many requests of a key, and
    instead of `unauthorized` for too many failures from an address. A valid key passes from there
    too: behind a proxy many callers share one.
    """
    keys: KeyService | None = request.app.state.keys
    limits: AccessLimits = request.app.state.access_limits
    context = context_of(request)
    try:
        caller = LOCAL_ADMIN
        if keys is not None:
            caller = await run_in_threadpool(keys.authenticate, _key_sent(request))
    except Error as error:
        if error.kind is Kind.UNAUTHORIZED:
            count_failure(request, "API keys")
        raise
    context.key_id = caller.key_id
    if limits.requests is not None:
        turn = limits.requests.take(caller.key_id)
        context.headers.update(turn.headers("requests"))
        if not turn.allowed:
            raise rate_limited("Too many requests of this API key.", turn)
    return caller


def count_failure(request: Request, what: str) -> None:
    """Count a secret that was wrong; `what` names its kind for people, in the plural.

    Raises `rate_limited` for too many of any kind from an address.
    """
    limits: AccessLimits = request.app.state.access_limits
    if limits.failures is None:
        return
    turn = limits.failures.take(network_of(request.client.host if request.client else ""))
    if not turn.allowed:
        raise rate_limited(f"Too many wrong {what} from this address.", turn)


def having(*scopes: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency: the caller, if they have all the scopes."""

    async def checked(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        caller.require(*scopes)
        return caller

    return checked


ExtractCaller = Annotated[Caller, Depends(having(Scope.EXTRACT_RUN))]


@router.get("/v1/me", summary="The key's id, role and scopes", responses=errors("unauthorized"))
def me(caller: Annotated[Caller, Depends(authenticated)]) -> Me:
    """What the key that was sent may do."""
    return Me(key_id=caller.key_id, role=caller.role, scopes=list(caller.scopes))


def _key_sent(request: Request) -> str:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    key = request.headers.get("x-api-key")
    if key is None:
        raise unauthorized()
    return key.strip()

"""Who calls: the dependencies that other endpoints use, and `GET /v1/me`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from apps.api_cpu.auth.roles import LOCAL_ADMIN, Caller, Scope
from apps.api_cpu.auth.schemas import Me
from apps.api_cpu.auth.service import KeyService, unauthorized
from apps.api_cpu.openapi import errors
from apps.api_cpu.request_context import context_of

router = APIRouter(tags=["keys"])


def authenticated(request: Request) -> Caller:
    """The caller; `unauthorized` without a valid key. A local admin when keys are not asked for."""
    keys: KeyService | None = request.app.state.keys
    caller = LOCAL_ADMIN if keys is None else keys.authenticate(_key_sent(request))
    context_of(request).key_id = caller.key_id
    return caller


def having(*scopes: Scope) -> Callable[[Caller], Caller]:
    """A dependency: the caller, if they have all the scopes."""

    def checked(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
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

"""Failed requests that have no artifact of their own: one is written that says what went wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import ArtifactStore, is_no_room
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import envelope, internal_error, status_of
from apps.api_cpu.request_context import context_of, new_request_id
from apps.api_cpu.wire import dump, timestamp
from lib.errors import Error, Kind

KeyOf = Callable[[datetime, str], str]
"""Where the artifact of a day and an id goes."""


@asynccontextmanager
async def failures_kept(
    request: Request, store: ArtifactStore, caller: Caller, key_of: KeyOf
) -> AsyncIterator[None]:
    """What fails inside is written down; its error then names the artifact."""
    try:
        yield
    except Exception as exc:
        request_id = context_of(request).request_id
        raise await run_in_threadpool(_kept, exc, request_id, store, caller, key_of) from exc


def _kept(
    exc: Exception, request_id: str, store: ArtifactStore, caller: Caller, key_of: KeyOf
) -> Error:
    if isinstance(exc, Error):
        error = exc
    elif isinstance(exc, ClientDisconnect):
        error = Error("bad_request", Kind.BAD_REQUEST, "The body ended too early.")
    else:
        logs.unexpected(exc, request_id=request_id, key_id=caller.key_id)
        error = internal_error()
    if is_no_room(error):
        return error
    now = datetime.now(UTC)
    # An id of its own: the one that was asked for is still free, or somebody else's.
    rel = key_of(now, new_request_id())
    named = Error(
        error.code,
        error.kind,
        error.message,
        {**error.details, "artifact_rel": rel},
        retryable=error.retryable,
    )
    artifact = {
        "request_id": request_id,
        "owner_key_id": caller.key_id,
        "created_at": timestamp(now),
        "code_version": version("ocr-service"),
        "status": status_of(named),
        "response": None,
        **envelope(named, request_id),
        "artifact_rel": rel,
    }
    try:
        store.put(rel, dump(artifact))
    except Error as unwritten:
        logs.warning(
            "no artifact for a failed request",
            request_id=request_id,
            code=error.code,
            reason=unwritten.code,
        )
        return error
    return named

"""What an endpoint that starts work is wrapped in, so that one key makes it work once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message

from apps.api_cpu import logs
from apps.api_cpu.artifacts.failures import KeyOf, failures_kept
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import error_response, not_found
from apps.api_cpu.idempotency.fingerprint import FingerprintingReceive, fingerprint_for
from apps.api_cpu.idempotency.header import key_sent
from apps.api_cpu.idempotency.service import Idempotency, mismatch, packed, unpacked
from apps.api_cpu.idempotency.store import Answer, Entry
from apps.api_cpu.request_context import context_of
from lib.errors import Error

REPLAYED = "Idempotent-Replayed"
# Answers that another attempt may better: conflicts with what runs now, limits, faults of ours.
_SERVER_ERRORS = 500
_WITH_RESULT = frozenset({200, 201})
_PASSING = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Made:
    """How to find again what an endpoint makes.

    `proposal` is the id that it gets unless its body or an earlier attempt names another; `find`
    returns the answer that was written under an id, or None: it is called on a thread and may raise
    `Error`. `failures` says where the artifact of a refusal goes. `is_one` says that an answer of
    success is about the extraction of that id alone, so that it may be kept with the key until that
    is erased; others are found again each time.
    """

    proposal: str
    find: Callable[[str], Answer | None]
    failures: KeyOf
    is_one: bool = False


class Attempt:
    """One run of an endpoint's work, with or without a key."""

    def __init__(self, resource_id: str, *, follows_dead: bool = False) -> None:
        """`follows_dead`: the one before died and wrote nothing; ids that it took are free."""
        self._resource_id = resource_id
        self.follows_dead = follows_dead

    @property
    def resource_id(self) -> str:
        """What to name what is made, unless the body says otherwise."""
        return self._resource_id

    async def names(self, resource_id: str) -> None:
        """Say, before it is taken, which id the body asks for."""
        self._resource_id = resource_id


Work = Callable[[Request, Attempt], Awaitable[Response]]


class _KeyedAttempt(Attempt):
    """An attempt that writes down what it does before it does it."""

    def __init__(
        self, request: Request, service: Idempotency, entry: Entry, *, is_one: bool
    ) -> None:
        super().__init__(entry.resource_id, follows_dead=entry.attempt > 1)
        self._service = service
        self._entry = entry
        self._is_one = is_one
        self._tee = _tee(request)
        self._request_id = context_of(request).request_id
        self.request = Request(request.scope, self._receive)

    async def names(self, resource_id: str) -> None:
        if resource_id != self._entry.resource_id:
            await super().names(resource_id)
            await self._note(self._entry.fingerprint)

    async def settle(self, response: Response | None) -> None:
        """Keep the answer, or free the key where it should be tried again.

        Where that cannot be written the work is done all the same: the next request with the key
        finds it by its id once the lease is over.
        """
        try:
            await self._settle(response)
        except Error as error:
            logs.warning("an answer was not kept under its idempotency key", code=error.code)

    async def _settle(self, response: Response | None) -> None:
        if (
            response is None
            or self._entry.fingerprint is None
            or not is_final(response.status_code)
        ):
            await run_in_threadpool(self._service.free, self._entry)
            return
        has_result = response.status_code in _WITH_RESULT and not self._is_one
        answer = Answer(
            response.status_code,
            None if has_result else getattr(response, "body", None),
            response.headers.get("content-type"),
            response.headers.get("location"),
        )
        await run_in_threadpool(self._service.finish, self._entry, answer)

    async def _receive(self) -> Message:
        was_complete = self._tee.is_complete
        message = await self._tee()
        if self._tee.is_complete and not was_complete:
            # Before the endpoint sees the end of the body, so before it begins anything.
            await self._note(self._tee.hexdigest())
        return message

    async def _note(self, fingerprint: str | None) -> None:
        self._entry = await run_in_threadpool(
            self._service.note, self._entry, fingerprint, self._resource_id
        )


async def once(request: Request, caller: Caller, made: Made, work: Work) -> Response:
    """The answer of `work`; with an `Idempotency-Key`, that of the first request with it.

    `work` reads the body of the request that it is given. Raises what `work` raises;
    `validation_error` for a key that is none, `idempotency_mismatch`, `idempotency_in_progress`.
    """
    service: Idempotency = request.app.state.idempotency
    async with failures_kept(request, request.app.state.store, caller, made.failures):
        key = key_sent(request)
        if key is not None:
            entry = await run_in_threadpool(
                service.claim, caller.key_id, key, request.scope["route"].path, made.proposal
            )
            entry = await run_in_threadpool(_resumed, service, made, entry)
            if entry.answer is not None:
                again = await _again(request, made, entry, entry.answer)
                service.replayed()
                return again
    if key is None:
        return await work(request, Attempt(made.proposal))
    return await _first(_KeyedAttempt(request, service, entry, is_one=made.is_one), work)


async def _first(attempt: _KeyedAttempt, work: Work) -> Response:
    response: Response | None = None
    try:
        response = await work(attempt.request, attempt)
    except Error as error:
        response = error_response(error, context_of(attempt.request).request_id)
        raise
    finally:
        await attempt.settle(response)
    return response


def _resumed(service: Idempotency, made: Made, entry: Entry) -> Entry:
    """A row taken over from an attempt that died: finished if that had written its answer."""
    if entry.answer is not None or entry.fingerprint is None:
        return entry
    try:
        answer = made.find(entry.resource_id)
        if answer is not None and is_final(answer.status):
            service.finish(entry, answer)
            return replace(entry, answer=packed(answer))
        # A failure that another attempt may better has used its id up.
        resource_id = entry.resource_id if answer is None else made.proposal
        return service.note(entry, None, resource_id)
    except Error:
        service.let_go(entry)
        raise


async def _again(request: Request, made: Made, entry: Entry, answer: Answer) -> Response:
    tee = _tee(request)
    while not tee.is_complete:
        if (await tee())["type"] == "http.disconnect":
            raise ClientDisconnect
    if tee.hexdigest() != entry.fingerprint:
        raise mismatch()
    body = None if answer.body is None else unpacked(answer.body)
    if body is None:
        found = await run_in_threadpool(made.find, entry.resource_id)
        if found is None or found.body is None:
            raise not_found()
        body = found.body
    headers = {REPLAYED: "true"} | ({"Location": answer.location} if answer.location else {})
    return Response(body, answer.status, headers, answer.media_type or "application/json")


def _tee(request: Request) -> FingerprintingReceive:
    kind = request.headers.get("content-type", "")
    return FingerprintingReceive(request.receive, fingerprint_for(kind))


def is_final(status: int) -> bool:
    """Whether another attempt could not better an answer of that status."""
    return status < _SERVER_ERRORS and status not in _PASSING

"""The inference client for threads: they share an event loop that has a thread of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from typing import TypeVar

import anyio
from anyio.from_thread import start_blocking_portal

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.tracing import NO_SPAN, Span
from lib.errors import Error, Kind
from lib.inference.addresses import AddressBook
from lib.inference.async_client import AsyncInferenceClient, ClientSettings
from lib.inference.client import ChatAnswer, Snapshot, TiltAnswers
from lib.inference.secret import Secret
from lib.inference.wire import AnswersRequest, ChatRequest

_Result = TypeVar("_Result")


class BlockingInferenceClient:
    """`InferenceClient` for any number of threads. A context manager that closes itself."""

    def __init__(self, addresses: AddressBook, key: Secret, settings: ClientSettings) -> None:
        """Starts the thread and the background probes; opens no connection yet."""
        self._client = AsyncInferenceClient(addresses, key, settings)
        self._thread = ExitStack()
        self._portal = self._thread.enter_context(start_blocking_portal(name="inference"))
        self._probes = self._portal.start_task_soon(self._client.keep_probing)

    def __enter__(self) -> BlockingInferenceClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def complete(
        self,
        request: ChatRequest,
        deadline: Deadline,
        *,
        cancellation: Cancellation | None = None,
        request_id: str | None = None,
        span: Span = NO_SPAN,
    ) -> ChatAnswer:
        """See `InferenceClient`."""

        async def call() -> ChatAnswer:
            return await self._client.complete(request, deadline, request_id, span)

        return self._wait(call, cancellation)

    def answers(
        self,
        request: AnswersRequest,
        deadline: Deadline,
        *,
        cancellation: Cancellation | None = None,
        request_id: str | None = None,
        span: Span = NO_SPAN,
    ) -> TiltAnswers:
        """See `InferenceClient`."""

        async def call() -> TiltAnswers:
            return await self._client.answers(request, deadline, request_id, span)

        return self._wait(call, cancellation)

    def probe(self, deadline: Deadline) -> Snapshot:
        """See `InferenceClient`."""

        async def call() -> Snapshot:
            return await self._client.probe(deadline)

        return self._wait(call, None)

    def snapshot(self) -> Snapshot:
        """See `InferenceClient`."""
        return self._client.snapshot()

    def close(self) -> None:
        """See `InferenceClient`; a second time does nothing."""
        with self._thread:
            try:
                self._portal.call(self._stop)
            except RuntimeError:
                return  # it has stopped

    async def _stop(self) -> None:
        with anyio.CancelScope(shield=True):
            # Calls under way end first: on closed connections they would be tried again.
            await self._portal.stop(cancel_remaining=True)
            await self._client.close()

    def _wait(
        self, call: Callable[[], Awaitable[_Result]], cancellation: Cancellation | None
    ) -> _Result:
        cancellation = cancellation or Cancellation()
        cancellation.check()
        try:
            future = self._portal.start_task_soon(call)
        except RuntimeError:  # the portal's way to say that it has stopped
            raise _closed() from None
        try:
            with cancellation.calling(lambda: _give_up(future)):
                return future.result()
        except CancelledError:
            if cancellation.is_set:
                raise Canceled from None
            raise _closed() from None


def _give_up(future: Future[_Result]) -> None:
    future.cancel()


def _closed() -> Error:
    return Error(
        "shutting_down", Kind.UNAVAILABLE, "The inference client is closed.", retryable=True
    )

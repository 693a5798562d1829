"""The inference client for threads: they share an event loop that has a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.tracing import NO_SPAN, Span
from lib.errors import Error, Kind
from lib.inference.addresses import AddressBook
from lib.inference.async_client import AsyncInferenceClient, ClientSettings
from lib.inference.client import ChatAnswer, Snapshot, TiltAnswers
from lib.inference.secret import Secret
from lib.inference.wire import AnswersRequest, ChatRequest

try:
    from uvloop import new_event_loop
except ImportError:  # Windows has none
    from asyncio import new_event_loop  # type: ignore[assignment] # uvloop names its own loop

_Result = TypeVar("_Result")


class BlockingInferenceClient:
    """`InferenceClient` for any number of threads. A context manager that closes itself."""

    def __init__(self, addresses: AddressBook, key: Secret, settings: ClientSettings) -> None:
        """Starts the thread and the background probes; opens no connection yet."""
        self._client = AsyncInferenceClient(addresses, key, settings)
        self._loop = new_event_loop()
        self._end = self._loop.create_future()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

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
        meanwhile: Callable[[], object] | None = None,
    ) -> ChatAnswer:
        """See `InferenceClient`."""
        return self._wait(
            lambda: self._client.complete(request, deadline, request_id, span),
            cancellation,
            meanwhile,
        )

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
        return self._wait(
            lambda: self._client.answers(request, deadline, request_id, span), cancellation
        )

    def probe(self, deadline: Deadline) -> Snapshot:
        """See `InferenceClient`."""
        return self._wait(lambda: self._client.probe(deadline), None)

    def snapshot(self) -> Snapshot:
        """See `InferenceClient`."""
        return self._client.snapshot()

    def close(self) -> None:
        """See `InferenceClient`; a second time does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._loop.call_soon_threadsafe(self._end.set_result, None)
        self._thread.join()

    def _run(self) -> None:
        """The thread's life."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        """Probe, and let calls come, until the end; then end them."""
        probes = asyncio.create_task(self._client.keep_probing())
        await self._end
        # Calls under way end first: on closed connections they would be tried again.
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(probes, *under_way, return_exceptions=True)
        await self._client.close()

    def _wait(
        self,
        call: Callable[[], Coroutine[Any, Any, _Result]],
        cancellation: Cancellation | None,
        meanwhile: Callable[[], object] | None = None,
    ) -> _Result:
        cancellation = cancellation or Cancellation()
        cancellation.check()
        with self._lock:
            if self._closed:
                raise _closed()
            # Before the end, which goes the same way: no call begins after it and waits for ever.
            future = asyncio.run_coroutine_threadsafe(call(), self._loop)
        try:
            with cancellation.calling(lambda: _give_up(future)):
                if meanwhile is not None:
                    meanwhile()
                return future.result()
        except CancelledError:
            if cancellation.is_set:
                raise Canceled from None
            raise _closed() from None
        finally:
            _give_up(future)  # does nothing to one that is done


def _give_up(future: Future[_Result]) -> None:
    future.cancel()


def _closed() -> Error:
    return Error(
        "shutting_down", Kind.UNAVAILABLE, "The inference client is closed.", retryable=True
    )

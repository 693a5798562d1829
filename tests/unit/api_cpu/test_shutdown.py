"""The cut of running work, and that failed work leaves nothing of its document in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest

from apps.api_cpu.extractions.admission import Admission
from apps.api_cpu.extractions.turns import AdmissionLimits
from apps.api_cpu.shutdown import Shutdown
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind


class _Document:
    """What a frame that fails holds."""


def test_work_that_outlasts_the_grace_is_cut() -> None:
    refused: list[bool] = []

    async def run() -> None:
        shutdown = Shutdown(0.05, lambda: refused.append(True))
        ended = asyncio.Event()

        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        running = asyncio.ensure_future(shutdown.unless_cut(endless()))
        await asyncio.sleep(0)
        shutdown.begin()
        assert refused
        with pytest.raises(Error, match="shutting_down"):
            await running
        await ended.wait()

    asyncio.run(run())


def test_work_that_ends_in_time_is_not_cut() -> None:
    async def run() -> str:
        shutdown = Shutdown(30, lambda: None)
        go = asyncio.Event()

        async def work() -> str:
            await go.wait()
            return "done"

        running = asyncio.ensure_future(shutdown.unless_cut(work()))
        await asyncio.sleep(0)
        shutdown.begin()
        await asyncio.sleep(0)
        go.set()
        return await running

    assert asyncio.run(run()) == "done"


async def _through_shutdown(work: Callable[[], None]) -> None:
    async def failing() -> None:
        work()

    await Shutdown(1, lambda: None).unless_cut(failing())


async def _through_admission(work: Callable[[], None]) -> None:
    admission = Admission(AdmissionLimits(1, 0))
    try:
        admitted = admission.admit(work, Deadline.after(10), "me")
        assert await admitted.ends_within(10)
        admitted.result()
    finally:
        admission.shut_down()


@pytest.mark.parametrize("through", [_through_shutdown, _through_admission])
def test_failed_work_keeps_no_document(
    through: Callable[[Callable[[], None]], Awaitable[None]],
) -> None:
    kept: list[weakref.ref[_Document]] = []

    def fail() -> None:
        document = _Document()
        kept.append(weakref.ref(document))
        raise Error("unreadable_document", Kind.UNPROCESSABLE, "Damaged.")

    async def run() -> None:
        with pytest.raises(Error):
            await through(fail)
        async with asyncio.timeout(30):  # the loop's own callbacks, and the thread that did it
            while kept[0]() is not None:  # noqa: ASYNC110  nobody says so
                await asyncio.sleep(0.01)

    gc.disable()
    try:
        asyncio.run(run())
    finally:
        gc.enable()

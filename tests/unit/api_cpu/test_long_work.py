"""Long work: who waits takes no thread, and there is an end to what may be asked for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from anyio.to_thread import current_default_thread_limiter

from apps.api_cpu.long_work import LongWork
from lib.errors import Error


def _made(at_once: int, most_of_key: int, most: int, patience_s: float = 60) -> LongWork:
    return LongWork(
        "things", at_once=at_once, most_of_key=most_of_key, most=most, patience_s=patience_s
    )


def test_who_waits_for_a_turn_takes_no_thread_from_others() -> None:
    busy, most = [0], [0]
    lock, begun, go_on = threading.Lock(), threading.Semaphore(0), threading.Event()

    def work() -> int:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        begun.release()
        go_on.wait(60)
        with lock:
            busy[0] -= 1
        return 1

    async def many() -> int:
        long_work = _made(at_once=2, most_of_key=50, most=100)
        asked = [asyncio.create_task(long_work.run("a key", work)) for _ in range(50)]
        for _ in range(2):
            await asyncio.to_thread(begun.acquire)
        assert current_default_thread_limiter().borrowed_tokens == 0
        go_on.set()
        return sum(await asyncio.gather(*asked))

    assert asyncio.run(many()) == 50
    assert most == [2]


def _refusal(long_work: LongWork, key_ids: list[str], work: Callable[[], object]) -> Error:
    async def asked() -> None:
        await asyncio.gather(*(long_work.run(key_id, work) for key_id in key_ids))

    with pytest.raises(Error) as caught:
        asyncio.run(asked())
    return caught.value


def test_there_is_an_end_to_what_may_be_asked_for() -> None:
    of_key = _refusal(_made(at_once=1, most_of_key=2, most=9), ["a"] * 3, lambda: None)
    assert (of_key.code, of_key.details["limit"]) == ("rate_limited", 2)
    of_all = _refusal(_made(at_once=1, most_of_key=2, most=3), list("abcd"), lambda: None)
    assert (of_all.code, of_all.details["limit"]) == ("rate_limited", 3)


def test_whose_turn_does_not_come_is_told_so_and_nothing_was_done() -> None:
    begun, done, go_on = asyncio.Event(), [], threading.Event()

    async def asked() -> None:
        loop = asyncio.get_running_loop()
        long_work = _made(at_once=1, most_of_key=2, most=2, patience_s=0.05)

        def first() -> None:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(60)

        running = asyncio.create_task(long_work.run("a", first))
        await begun.wait()
        try:
            await long_work.run("b", lambda: done.append("second"))
        finally:
            go_on.set()
            await running

    with pytest.raises(Error) as caught:
        asyncio.run(asked())
    assert (caught.value.code, done) == ("rate_limited", [])
    assert caught.value.details["retry_after_s"] > 0

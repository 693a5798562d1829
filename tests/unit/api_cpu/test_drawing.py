"""Pages that are drawn: who waits takes no thread, and nobody asks for all of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from anyio.to_thread import current_default_thread_limiter

from apps.api_cpu.pages.drawing import Drawing
from lib.errors import Error


def test_who_waits_for_a_turn_takes_no_thread_from_others() -> None:
    busy, most = [0], [0]
    lock, begun, go_on = threading.Lock(), threading.Semaphore(0), threading.Event()

    def draw() -> int:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        begun.release()
        go_on.wait(60)
        with lock:
            busy[0] -= 1
        return 1

    async def many() -> int:
        drawing = Drawing(at_once=2, most_of_key=50, most=100)
        asked = [asyncio.create_task(drawing.run("a key", draw)) for _ in range(50)]
        for _ in range(2):
            await asyncio.to_thread(begun.acquire)
        assert current_default_thread_limiter().borrowed_tokens == 0
        go_on.set()
        return sum(await asyncio.gather(*asked))

    assert asyncio.run(many()) == 50
    assert most == [2]


def _refusal(drawing: Drawing, key_ids: list[str], draw: Callable[[], None]) -> Error:
    async def asked() -> None:
        await asyncio.gather(*(drawing.run(key_id, draw) for key_id in key_ids))

    with pytest.raises(Error) as caught:
        asyncio.run(asked())
    return caught.value


def test_there_is_an_end_to_what_may_be_asked_for() -> None:
    of_key = _refusal(Drawing(at_once=1, most_of_key=2, most=9), ["a"] * 3, lambda: None)
    assert (of_key.code, of_key.details["limit"]) == ("rate_limited", 2)
    of_all = _refusal(Drawing(at_once=1, most_of_key=2, most=3), list("abcd"), lambda: None)
    assert (of_all.code, of_all.details["limit"]) == ("rate_limited", 3)

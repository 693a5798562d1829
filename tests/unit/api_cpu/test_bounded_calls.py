"""Calls to a remote store: how many at once, how long, how often; and files lent to them."""

from __future__ import annotations

import io
import threading

import pytest

from apps.api_cpu.artifacts.stores.bounded_calls import BoundedCalls, MayPass
from apps.api_cpu.artifacts.stores.content import Lent
from lib.errors import Error


def test_a_call_that_is_given_up_keeps_its_place_until_it_ends() -> None:
    calls, release, ended = BoundedCalls(1), threading.Event(), threading.Event()

    def stuck() -> None:
        release.wait(20)
        ended.set()

    with pytest.raises(TimeoutError):
        calls.run(stuck, 0.05)
    with pytest.raises(TimeoutError):
        calls.run(lambda: "no place for it", 0.05)
    release.set()
    assert ended.wait(20)
    assert calls.run(lambda: "its turn", 20) == "its turn"


def test_what_may_pass_is_repeated_and_anything_else_is_not() -> None:
    calls, answers = BoundedCalls(1), iter([MayPass("503"), MayPass("reset"), "done"])

    def next_answer() -> str:
        answer = next(answers)
        if isinstance(answer, MayPass):
            raise answer
        return answer

    assert calls.repeated("PutObject", next_answer, 20) == "done"
    tried = []

    def refused() -> None:
        tried.append(1)
        raise LookupError

    with pytest.raises(LookupError):
        calls.repeated("PutObject", refused, 20)
    assert tried == [1]


def test_a_machine_without_threads_costs_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    calls = BoundedCalls(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        with pytest.raises(MayPass):
            calls.run(lambda: "never", 20)
    assert calls.run(lambda: "its turn", 20) == "its turn"


def test_there_is_an_end_to_repeating() -> None:
    def away() -> None:
        raise MayPass("503")

    with pytest.raises(Error) as caught:
        BoundedCalls(1).repeated("PutObject", away, 0.05)
    assert (caught.value.code, caught.value.retryable) == ("storage_unavailable", True)


def test_a_file_that_was_taken_back_is_not_moved_by_who_had_it() -> None:
    file = io.BytesIO(b"0123456789")
    lent = Lent(file)
    assert (lent.read(4), lent.tell()) == (b"0123", 4)
    lent.seek(2)
    assert lent.read(2) == b"23"
    lent.take_back()
    file.seek(1)
    for action in (lent.read, lent.tell, lambda: lent.seek(0)):
        with pytest.raises(OSError, match="taken back"):
            action()
    assert file.read() == b"123456789"

"""A cancellation reaches who works, whenever it comes, exactly once."""

import pytest

from lib.domain.cancellation import Canceled, Cancellation


def test_a_callback_runs_once_when_set() -> None:
    calls: list[str] = []
    cancellation = Cancellation()
    with cancellation.calling(lambda: calls.append("stop")):
        assert calls == []
        cancellation.set()
        cancellation.set()
    assert calls == ["stop"]


def test_a_callback_runs_when_the_request_came_first() -> None:
    calls: list[str] = []
    cancellation = Cancellation()
    cancellation.set()
    with cancellation.calling(lambda: calls.append("stop")):
        pass
    assert calls == ["stop"]


def test_a_callback_does_not_run_after_its_block() -> None:
    calls: list[str] = []
    cancellation = Cancellation()
    with cancellation.calling(lambda: calls.append("stop")):
        pass
    cancellation.set()
    assert calls == []


def test_check_raises_once_set() -> None:
    cancellation = Cancellation()
    cancellation.check()
    cancellation.set()
    with pytest.raises(Canceled):
        cancellation.check()

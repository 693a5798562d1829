"""Streams between a process and its children: what comes is whole, and no wait is for ever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from lib.domain.deadline import Deadline
from lib.processes.sockets import Stream, blocking_pair

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = blocking_pair()
    with ours, theirs:
        yield ours, theirs


def soon() -> Deadline:
    return Deadline.after(60)


@pytest.mark.parametrize(
    "sizes", [(1, 2, 3), (70_000, 5), (5, 300_000, 5), (65_536, 65_537), (3, 40_000_000)]
)
def test_what_comes_at_once_is_received_in_the_parts_that_are_asked_for(
    ends: Ends, sizes: tuple[int, ...]
) -> None:
    ours, theirs = ends
    parts = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    sender = threading.Thread(target=theirs.sendall, args=(b"".join(parts),))
    sender.start()
    stream = Stream(ours)
    assert [stream.receive(size, soon()) for size in sizes] == parts
    sender.join()
    assert not stream.has_news


def test_what_is_sent_arrives_whatever_its_size(ends: Ends) -> None:
    ours, theirs = ends
    data = bytes(range(256)) * 20_000
    sender = threading.Thread(target=Stream(ours).send, args=(data, soon()))
    sender.start()
    assert Stream(theirs).receive(len(data), soon()) == data
    sender.join()


def test_news_are_what_came_unasked_or_the_end(ends: Ends) -> None:
    ours, theirs = ends
    stream = Stream(ours)
    assert not stream.has_news
    theirs.sendall(b"abc")
    assert stream.has_news
    assert stream.receive(1, soon()) == b"a"
    assert stream.has_news  # though the socket has nothing left
    assert stream.receive(2, soon()) == b"bc"
    assert not stream.has_news
    theirs.close()
    assert stream.has_news


@pytest.mark.parametrize("size", [4, 1_000_000])
def test_who_sends_too_little_or_ends_is_not_waited_for(ends: Ends, size: int) -> None:
    ours, theirs = ends
    theirs.sendall(b"abc")
    stream = Stream(ours)
    with pytest.raises(TimeoutError):
        stream.receive(size, Deadline.after(0.02))
    theirs.close()
    with pytest.raises(EOFError):
        stream.receive(size, soon())


def test_who_only_says_that_much_will_come_takes_no_memory(ends: Ends) -> None:
    ours, theirs = ends
    theirs.sendall(b"abc")
    with pytest.raises(TimeoutError):
        Stream(ours).receive(1 << 50, Deadline.after(0.02))


def test_what_is_there_is_received_past_the_deadline(ends: Ends) -> None:
    ours, theirs = ends
    stream, over = Stream(ours), Deadline.after(0)
    theirs.sendall(bytes(100_000))
    assert stream.receive(100_000, over) == bytes(100_000)
    with pytest.raises(TimeoutError):
        stream.receive(1, over)


def test_who_takes_nothing_is_not_waited_for(ends: Ends) -> None:
    stream = Stream(ends[0])
    with pytest.raises(TimeoutError):
        stream.send(bytes(10_000_000), Deadline.after(0.02))
    ends[1].close()
    with pytest.raises(OSError, match="Broken pipe"):
        stream.send(b"abc", soon())


def test_a_wait_ends_where_another_thread_hangs_up(ends: Ends) -> None:
    stream = Stream(ends[0])
    hangs_up = threading.Timer(0.05, ends[0].shutdown, (socket.SHUT_RDWR,))
    hangs_up.start()
    with pytest.raises(EOFError):
        stream.receive(1, soon())
    hangs_up.join()

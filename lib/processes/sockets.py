"""Sockets between a process and its children."""

from __future__ import annotations

import selectors
import socket

from lib.domain.deadline import Deadline

_PIECE = 1 << 20
_AHEAD = 1 << 16
_GROWTH = 1 << 24

# Where there is no poll, there are no descriptors that select could not wait for either.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def blocking_pair(
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> tuple[socket.socket, socket.socket]:
    """A connected pair, one end of it for a child.

    Both block whatever `socket.setdefaulttimeout` says at this moment: Celery sets that, for the
    whole process, while it leaves a broker. A socket made with a default timeout does not block,
    nor does the same descriptor in a child, which would take that for the end of the conversation.
    Raises OSError.
    """
    pair = socket.socketpair(type=kind)
    for end in pair:
        end.setblocking(True)
    return pair


class Stream:
    """A stream socket whose every wait ends at a deadline. Not safe to share between threads.

    Each system call gives the interpreter to another thread, and has to wait for it afterwards. So
    they are few: what can be sent at once is sent with one, and what comes in small parts is
    received with two (a wait, and all that is there).
    """

    def __init__(self, connection: socket.socket) -> None:
        """`connection` does not block from now on."""
        connection.setblocking(False)
        self._socket = connection
        self._waiting = {
            selectors.EVENT_READ: _waiting_for(connection, selectors.EVENT_READ),
            selectors.EVENT_WRITE: _waiting_for(connection, selectors.EVENT_WRITE),
        }
        self._ahead = bytearray()

    def send(self, data: bytes | bytearray, until: Deadline | None) -> None:
        """Send all of it. TimeoutError past the deadline, OSError when nobody listens."""
        view = memoryview(data)
        sent = 0
        while sent < len(view):
            try:
                sent += self._socket.send(view[sent : sent + _PIECE])
            except BlockingIOError:
                self._wait(selectors.EVENT_WRITE, until)

    def receive(self, size: int, until: Deadline | None) -> bytearray:
        """So many bytes; those that are there already also past the deadline.

        TimeoutError past it, EOFError or OSError when no more come.
        """
        if len(self._ahead) < size <= _AHEAD:
            self._look_ahead(size, until)
        if len(self._ahead) >= size:
            found = self._ahead[:size]
            del self._ahead[:size]
            return found
        return self._long(size, until)

    @property
    def has_news(self) -> bool:
        """Whether there is something to receive, or the other side has ended; does not wait."""
        if self._ahead:
            return True
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """End the conversation; the other side sees its end."""
        for waiting in self._waiting.values():
            waiting.close()
        self._socket.close()

    def _look_ahead(self, size: int, until: Deadline | None) -> None:
        while len(self._ahead) < size:
            self._wait(selectors.EVENT_READ, until)
            piece = self._socket.recv(_AHEAD)
            if not piece:
                raise EOFError
            self._ahead += piece

    def _long(self, size: int, until: Deadline | None) -> bytearray:
        found, self._ahead = self._ahead, bytearray()
        got = len(found)
        while got < size:
            self._wait(selectors.EVENT_READ, until)
            if got == len(found):
                # As it comes: who only says that much will come is not believed.
                found += bytes(min(size - got, _GROWTH))
            with memoryview(found)[got:] as room:
                count = self._socket.recv_into(room)
            if not count:
                raise EOFError
            got += count
        return found

    def _wait(self, event: int, until: Deadline | None) -> None:
        if not self._waiting[event].select(None if until is None else until.remaining()):
            raise TimeoutError


def _waiting_for(connection: socket.socket, event: int) -> selectors.BaseSelector:
    selector: selectors.BaseSelector = _Selector()
    selector.register(connection, event)
    return selector

"""Sockets between a process and its children."""

from __future__ import annotations

import socket


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

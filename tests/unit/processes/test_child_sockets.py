from __future__ import annotations

import os
import socket

import pytest

from lib.processes.sockets import blocking_pair


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_a_pair_blocks_whatever_timeout_new_sockets_have(kind: socket.SocketKind) -> None:
    socket.setdefaulttimeout(2.0)
    try:
        pair = blocking_pair(kind)
    finally:
        socket.setdefaulttimeout(None)
    for end in pair:
        with end:
            assert end.type == kind
            assert end.gettimeout() is None
            assert os.get_blocking(end.fileno())

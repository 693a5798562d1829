"""The program that forks decoders: everything is imported once, so that a fork takes 2 ms.

`multiprocessing`'s own fork server would import the main program again in every child, shares one
instance and one list of modules with whoever else uses it, and hands over the environment.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
from typing import NoReturn

from lib.loading import decoder
from lib.loading.fork_protocol import ANSWER, COMMAND, DROP, END, START
from lib.loading.limits import LoadingLimits
from lib.loading.warm_up import warm_up

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl


def main(control_fd: int, limits: LoadingLimits) -> None:
    """Serve commands until the parent is gone, then end every decoder."""
    control = socket.socket(fileno=control_fd)
    warm_up(limits)
    _silence()
    gc.freeze()
    children: set[int] = set()
    try:
        while True:
            message, descriptors, _, _ = socket.recv_fds(control, COMMAND.size, 1)
            if len(message) < COMMAND.size:
                return
            command, process_id = COMMAND.unpack(message)
            if command == START and descriptors:
                answer = _start(control, descriptors[0], limits)
                if answer:
                    children.add(answer)
            elif command in {DROP, END} and process_id in children:
                children.discard(process_id)
                answer = _end(process_id)
            else:
                return
            if command == DROP:
                continue
            control.send(ANSWER.pack(answer))
    finally:
        for process_id in children:
            _end(process_id)


def _start(control: socket.socket, descriptor: int, limits: LoadingLimits) -> int:
    try:
        process_id = os.fork()
    except OSError:
        os.close(descriptor)
        return 0
    if process_id == 0:
        control.close()
        _decode(descriptor, limits)
    os.close(descriptor)
    return process_id


def _decode(descriptor: int, limits: LoadingLimits) -> NoReturn:
    """The life of a forked decoder: it never returns into the loop above."""
    status = 1
    try:
        # A decoder does not outlive the program that can end it.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        decoder.serve(socket.socket(fileno=descriptor), limits)
        status = 0
    finally:
        os._exit(status)


def _end(process_id: int) -> int:
    """Kill and reap. Until it is reaped its id is not used again, so no other process is hit."""
    os.kill(process_id, signal.SIGKILL)
    _, status = os.waitpid(process_id, 0)
    return os.waitstatus_to_exitcode(status)


def _silence() -> None:
    """Nothing that a decoder prints reaches the server's log: it could quote the document."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())
    os.close(null)

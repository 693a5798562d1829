"""Starts and ends decoder processes, from the server's side."""

from __future__ import annotations

import dataclasses
import importlib
import json
import multiprocessing
import os
import platform
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Protocol

import lib
from lib.loading.failures import no_process
from lib.loading.fork_protocol import ANSWER, COMMAND, END, START
from lib.loading.limits import LoadingLimits

_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from lib.loading.limits import LoadingLimits; "
    "from lib.loading.fork_server import main; "
    "main(int(sys.argv[2]), LoadingLimits(**json.loads(sys.argv[3])))"
)


class DecoderProcess(Protocol):
    """A running decoder."""

    @property
    def connection(self) -> socket.socket:
        """The server's end of the conversation."""
        ...

    def end(self) -> int | None:
        """Kill and reap; the exit code that it had (negative: the signal), None if not known."""
        ...


class ProcessStarter(Protocol):
    """Starts decoders. Safe to share between threads."""

    def start(self) -> DecoderProcess:
        """A fresh decoder; raises `inference_unavailable`."""
        ...

    def close(self) -> None:
        """End what is still running."""
        ...


def build_starter(limits: LoadingLimits) -> ProcessStarter:
    """Forks where forking is safe, fresh interpreters elsewhere (macOS frameworks, Windows)."""
    if platform.system() == "Linux":
        return ForkingStarter(limits)
    return SpawningStarter(limits)


class ForkingStarter:
    """Decoders forked by a helper program that has everything imported; about 2 ms each."""

    def __init__(self, limits: LoadingLimits) -> None:
        """Start the helper; it imports its modules while the server goes on starting."""
        self._limits = limits
        self._lock = threading.Lock()
        self._control, self._server = self._launch()

    def start(self) -> DecoderProcess:
        """Ask for a fork; a helper that has died is replaced once."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with self._lock:
                    process_id = self._start_on(theirs)
            except OSError:
                ours.close()
                raise no_process() from None
        if process_id <= 0:
            ours.close()
            raise no_process()
        return _Forked(self, process_id, ours)

    def close(self) -> None:
        """Hang up: the helper ends its decoders and itself."""
        with self._lock:
            self._control.close()
            self._server.wait()

    def end(self, process_id: int) -> int | None:
        """End one decoder; None where the helper is gone, and its decoders with it."""
        with self._lock:
            try:
                return self._command(END, process_id)
            except OSError:
                return None

    def _start_on(self, theirs: socket.socket) -> int:
        try:
            return self._command(START, 0, theirs)
        except OSError:
            self._control.close()
            self._server.kill()
            self._server.wait()
            self._control, self._server = self._launch()
            return self._command(START, 0, theirs)

    def _command(self, letter: bytes, process_id: int, carried: socket.socket | None = None) -> int:
        descriptors = [] if carried is None else [carried.fileno()]
        socket.send_fds(self._control, [COMMAND.pack(letter, process_id)], descriptors)
        answer = self._control.recv(ANSWER.size)
        if len(answer) < ANSWER.size:
            raise ConnectionResetError
        value: int = ANSWER.unpack(answer)[0]
        return value

    def _launch(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        package_root = str(Path(lib.__file__).resolve().parents[1])
        path = [package_root, *(entry for entry in sys.path if entry)]
        limits = json.dumps(dataclasses.asdict(self._limits))
        fd = str(theirs.fileno())
        with theirs:
            server = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable, "-I", "-c", _BOOTSTRAP, json.dumps(path), fd, limits],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # A parser of hostile bytes needs no secrets, and Ctrl-C is not meant for it.
                env={"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                cwd=os.sep,
                start_new_session=True,
            )
        return ours, server


class _Forked:
    """A decoder that the helper forked."""

    def __init__(self, starter: ForkingStarter, process_id: int, connection: socket.socket) -> None:
        self._starter = starter
        self._process_id = process_id
        self.connection = connection

    def end(self) -> int | None:
        self.connection.close()
        return self._starter.end(self._process_id)


class SpawningStarter:
    """Decoders in fresh interpreters: some tenths of a second each, on every platform."""

    def __init__(self, limits: LoadingLimits) -> None:
        self._limits = limits
        self._context = multiprocessing.get_context("spawn")

    def start(self) -> DecoderProcess:
        """Start an interpreter that imports the decoder."""
        ours, theirs = socket.socketpair()
        process = self._context.Process(target=_serve, args=(theirs, self._limits), daemon=True)
        with theirs:
            try:
                process.start()
            except OSError:
                ours.close()
                raise no_process() from None
        return _Spawned(process, ours)

    def close(self) -> None:
        """Nothing is kept."""


def _serve(connection: socket.socket, limits: LoadingLimits) -> None:
    """A spawned decoder's life; only there are the decoding libraries imported."""
    importlib.import_module("lib.loading.decoder").serve(connection, limits)


class _Spawned:
    """A decoder that `multiprocessing` started."""

    def __init__(
        self, process: multiprocessing.process.BaseProcess, connection: socket.socket
    ) -> None:
        self._process = process
        self.connection = connection

    def end(self) -> int | None:
        self.connection.close()
        self._process.kill()
        self._process.join()
        exit_code = self._process.exitcode
        self._process.close()
        return exit_code

"""Starts and ends decoder processes, from the server's side."""

from __future__ import annotations

import dataclasses
import importlib
import json
import multiprocessing
import os
import platform
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Protocol

import lib
from lib.loading.failures import no_process
from lib.loading.fork_protocol import ANSWER, COMMAND, DROP, END, START
from lib.loading.limits import LoadingLimits
from lib.processes.affinity import on_all_cores
from lib.processes.sockets import blocking_pair

_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from lib.loading.limits import LoadingLimits; "
    "from lib.loading.fork_server import main; "
    "main(int(sys.argv[2]), LoadingLimits(**json.loads(sys.argv[3])))"
)
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # A decoder touches every page of its buffers for the first time, and only once: in pages of
    # 2 MiB, where Linux allows a program to ask for them, that costs a third of a photo's decoding
    # less. https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
# A helper answers in milliseconds once it has imported its modules. One that does not, because it
# was stopped or the machine is out of memory, is replaced.
_LOADING_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
_END_SECONDS = 2.0


class DecoderProcess(Protocol):
    """A running decoder."""

    @property
    def connection(self) -> socket.socket:
        """The server's end of the conversation."""
        ...

    def end(self) -> int | None:
        """Kill and reap; the exit code that it had (negative: the signal), None if not known."""
        ...

    def drop(self) -> None:
        """The same for one that has done its work: it may take place after the return, but before
        the next decoder is started.
        """
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
        self._helper = _Helper(limits)

    def start(self) -> DecoderProcess:
        """Ask for a fork; a helper that does not answer is replaced, once."""
        try:
            ours, theirs = blocking_pair()
        except OSError:
            raise no_process() from None
        with theirs:
            helper, process_id = self._ask(theirs)
            if process_id is None:
                helper, process_id = self._ask(theirs)
        if not process_id:
            ours.close()
            raise no_process()
        return _Forked(helper, process_id, ours)

    def close(self) -> None:
        """Hang up: the helper ends its decoders and itself."""
        with self._lock:
            self._helper.close()

    def _ask(self, theirs: socket.socket) -> tuple[_Helper, int | None]:
        """The helper that was asked, a new one where the last is broken, and its answer."""
        with self._lock:
            if self._helper.broken:
                self._helper.close()
                try:
                    self._helper = _Helper(self._limits)
                except OSError:
                    return self._helper, None
            helper = self._helper
        return helper, helper.command(START, 0, theirs)


class _Helper:
    """One run of the program that forks decoders. Safe to share between threads."""

    def __init__(self, limits: LoadingLimits) -> None:
        self._lock = threading.Lock()
        self._control, theirs = blocking_pair(socket.SOCK_SEQPACKET)
        self._control.settimeout(_LOADING_SECONDS)
        package_root = str(Path(lib.__file__).resolve().parents[1])
        path = json.dumps([package_root, *(entry for entry in sys.path if entry)])
        with theirs, on_all_cores():
            arguments = [path, str(theirs.fileno()), json.dumps(dataclasses.asdict(limits))]
            self._program = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                # Without `site`: the path is given, and what site-packages starts is not wanted.
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # A parser of hostile bytes needs no secrets, and Ctrl-C is not meant for it.
                env=_ENVIRONMENT,
                cwd=os.sep,
                start_new_session=True,
            )
        self.broken = False

    def command(
        self, letter: bytes, process_id: int, carried: socket.socket | None = None
    ) -> int | None:
        """One command and its answer; None where the helper is gone, and its decoders with it."""
        descriptors = [] if carried is None else [carried.fileno()]
        with self._lock:
            if self.broken:
                return None
            try:
                socket.send_fds(self._control, [COMMAND.pack(letter, process_id)], descriptors)
                answer: int = ANSWER.unpack(self._control.recv(ANSWER.size))[0]
            except (OSError, struct.error):
                # Its next answer could be that of this command: it is not asked again.
                self._give_up()
                return None
            self._control.settimeout(_ANSWER_SECONDS)
            return answer

    def drop(self, process_id: int) -> None:
        """End a decoder without waiting for that."""
        with self._lock:
            if self.broken:
                return
            try:
                self._control.send(COMMAND.pack(DROP, process_id))
            except OSError:
                self._give_up()

    def close(self) -> None:
        """End the program; hanging up is enough unless it hangs itself."""
        with self._lock:
            self.broken = True
            self._control.close()
            try:
                self._program.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._program.kill()
                self._program.wait()

    def _give_up(self) -> None:
        self.broken = True
        self._program.kill()  # and with it its decoders; it may only have been stopped


class _Forked:
    """A decoder that a helper forked."""

    def __init__(self, helper: _Helper, process_id: int, connection: socket.socket) -> None:
        self._helper = helper
        self._process_id = process_id
        self.connection = connection

    def end(self) -> int | None:
        self.connection.close()
        return self._helper.command(END, self._process_id)

    def drop(self) -> None:
        self.connection.close()
        self._helper.drop(self._process_id)


class SpawningStarter:
    """Decoders in fresh interpreters: some tenths of a second each, on every platform."""

    def __init__(self, limits: LoadingLimits) -> None:
        self._limits = limits
        self._context = multiprocessing.get_context("spawn")

    def start(self) -> DecoderProcess:
        """Start an interpreter that imports the decoder."""
        ours, theirs = blocking_pair()
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
    status = 1
    try:
        importlib.import_module("lib.loading.decoder").serve(connection, limits)
        status = 0
    finally:
        # At once, or it would be killed while it ends, and without a word, which could quote the
        # document.
        os._exit(status)


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

    def drop(self) -> None:
        self.end()

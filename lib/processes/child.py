"""A child process as its parent sees it: started without secrets, killed whole, collected."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.processes.affinity import on_all_cores

_INHERITED = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "HOME",
)
"""What an interpreter needs of its parent's environment. The rest is kept from a process that reads
hostile documents: it may hold secrets."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A pool uses the cores, one child each; read when numpy and its like are imported."""

_END_TIMEOUT_S = 5.0  # for the kernel to end a killed process


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A moment of a pool of such processes, for health and metrics.

    `loaded` ones can take work, `busy` ones are at it; `waiting` counts what waits for one.
    `recycled` counts planned replacements and `restarts` those after a crash, a kill or a failed
    start. `resident`: bytes of memory of each loaded one when it last spoke.
    """

    workers: int
    loaded: int
    busy: int
    waiting: int
    recycled: int
    restarts: int
    resident: tuple[int, ...] = ()


class ChildProcess:
    """A running child. `kill` may be called from any thread.

    It leads a session of its own: what it may have started ends with it. What it prints to stderr
    is dropped, for it could quote a document.
    """

    def __init__(
        self,
        command: Sequence[str],
        stdin: int,
        stdout: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`stdin` and `stdout` as `subprocess` has them; `environment`: what it has besides."""
        # The command is this interpreter with our own module; nothing in it comes from a request.
        with on_all_cores():
            self._child = subprocess.Popen(  # noqa: S603
                list(command),
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.DEVNULL,
                env=_environment() | dict(environment or {}),
                start_new_session=True,
            )
        self._ending = threading.Lock()
        self._collected = False

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended; one that was stopped counts as alive."""
        with self._ending:
            if not self._collected and self._child.poll() is not None:
                self._collected = True
            return not self._collected

    def kill(self) -> None:
        """End the child at once, whatever it does."""
        with self._ending:
            if not self._collected:  # else its id may be another's
                self._kill_group()

    def end(self) -> int | None:
        """Kill the child and collect it.

        The exit status that it had (negative: the signal), None when it could not be collected.
        """
        with self._ending:
            if not self._collected:
                self._kill_group()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(_END_TIMEOUT_S)
                self._collected = True
        return self._child.returncode

    def _kill_group(self) -> None:
        if not hasattr(os, "killpg"):  # Windows has no process groups of this kind
            self._child.kill()
            return
        # PermissionError is macOS's word for a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # The child imports from where this process does, whether or not the package is installed.
    python_path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**inherited, **_ONE_THREAD, "PYTHONPATH": python_path, "PYTHONUTF8": "1"}

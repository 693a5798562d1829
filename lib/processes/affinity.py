"""The cores that this process may use, and the one that its own threads can keep to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PROCESSOR_FIELD = 39
"""Of proc_pid_stat(5): the core that the thread was last on."""


class _Cores:
    """What this process may use, once its threads keep to less; empty while they do not.

    It changes, as no other global here does: affinity is the process's own, like its environment,
    and the kernel does not remember what it was.
    """

    all: frozenset[int] = frozenset()


def usable_cores() -> int:
    """How many there are for this process and what it starts."""
    if _Cores.all:
        return len(_Cores.all)
    # Only Linux knows which cores a process may use; elsewhere it is all of them.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_to_one_core() -> None:
    """Let this thread, and those that it starts from now on, run on the core that it is on.

    Threads that share an interpreter's lock run one at a time anyway. On several cores each release
    of it, around every call of the system, wakes a thread elsewhere that finds it taken again, and
    the interpreter's memory is fetched from core to core. Nothing happens where there is one core,
    where the system has no word for it (macOS, Windows) or forbids it.
    """
    if not hasattr(os, "sched_setaffinity") or usable_cores() == 1:
        return
    every = _Cores.all or frozenset(os.sched_getaffinity(0))
    # Forbidden by a container's filter of system calls, or a /proc that is not Linux's own.
    with contextlib.suppress(OSError, ValueError, IndexError):
        os.sched_setaffinity(0, {_core_now()})
        _Cores.all = every


@contextlib.contextmanager
def on_all_cores() -> Iterator[None]:
    """For the start of a child, which has the cores of the thread that starts it."""
    if not hasattr(os, "sched_setaffinity") or not _Cores.all:
        yield
        return
    kept = os.sched_getaffinity(0)
    # None of them may be the container's any more: then the child has this thread's.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, _Cores.all)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, kept)


def _core_now() -> int:
    # After the name, which is in parentheses and may hold anything, fields begin with the third.
    fields = Path("/proc/thread-self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return int(fields[_PROCESSOR_FIELD - 3])

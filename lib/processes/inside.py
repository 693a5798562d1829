"""What a child process knows of itself, and does for its parent."""

from __future__ import annotations

import ctypes
import platform
import signal
import traceback
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_FRAMES = 6


def die_with_parent() -> None:
    """Have Linux kill this process, however busy, once the thread that started it has ended."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


def place_of(exc: Exception) -> str:
    """Type and place of an exception. Its text may quote the document."""
    frames = traceback.extract_tb(exc.__traceback__)[-_FRAMES:]
    places = (f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(exc).__name__} at {' < '.join(places)}"

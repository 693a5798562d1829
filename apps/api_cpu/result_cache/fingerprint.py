"""What decides an answer besides what is asked: this server's code, files, packages, settings."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import apps.api_cpu
import lib
from apps.api_cpu.settings import CONFIGS, Settings
from apps.api_cpu.wire import dump

# Where a server is and how it logs changes no answer. Any other setting may: it is taken for one
# that does, so that a new one cannot be forgotten here.
_CHANGE_NOTHING = {"host", "port", "data_root", "log_level", "log_format", "jobs_max_concurrency"}


def fingerprint(settings: Settings) -> str:
    """SHA-256, in hexadecimal, of all of it; it takes some milliseconds.

    Secrets are in it only as far as that they are set.
    """
    digest = hashlib.sha256(dump(settings.model_dump(mode="json", exclude=_CHANGE_NOTHING)))
    digest.update(dump(sorted(_installed())))
    for folder in (Path(lib.__path__[0]), Path(apps.api_cpu.__path__[0]), CONFIGS):
        for path in sorted(_files(folder)):
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _installed() -> Iterator[str]:
    """Every package with its version, as the folder of its metadata is called."""
    for entry in sys.path:
        if entry:
            yield from (path.name for path in Path(entry).glob("*.dist-info"))


def _files(folder: Path) -> Iterator[Path]:
    """All but byte code: other processes may be writing it, under names that come and go."""
    for path in folder.rglob("*"):
        if "__pycache__" not in path.parts and path.is_file():
            yield path

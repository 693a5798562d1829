"""What a backend of jobs is: a doorbell, and the threads or workers that answer it."""

from __future__ import annotations

from typing import Protocol


class JobsBackend(Protocol):
    """The table says what is to be done; a backend only says that there is something."""

    @property
    def name(self) -> str:
        """As `jobs.backend` in health: local or celery."""
        ...

    def ring(self, count: int) -> None:
        """There are `count` more items. Never raises: what is not heard is found in the table."""
        ...

    def start(self) -> None:
        """Begin to take items."""
        ...

    def close(self) -> None:
        """Take no more items. May be called from a signal handler; does not wait."""
        ...

    def stop(self, grace_s: float) -> None:
        """After `close`: wait so long for what runs; what does not end is handed back."""
        ...

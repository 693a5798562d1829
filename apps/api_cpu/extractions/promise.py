"""A request that is answered later: what is promised for it, and work that is under way already."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.service import ExtractionService, Order
from lib.domain.deadline import Deadline

Came = dict[str, Any] | Exception
"""What came of work: its response, or what it raised."""


@dataclass(frozen=True, slots=True)
class Promise:
    """The body of a 202 and the address that it names."""

    body: dict[str, Any]
    location: str


class MovableWork:
    """An extraction whose end can be left to somebody else while it runs."""

    def __init__(
        self, service: ExtractionService, draft: Draft, order: Order, deadline: Deadline
    ) -> None:
        """`deadline` is that of whoever takes it over: it outlasts the request's."""
        self.draft = draft
        self.order = order
        self.deadline = deadline
        self._service = service
        self._lock = threading.Lock()
        self._begun = False
        self._withdrawn = False
        self._came: Came | None = None
        self._heir: Callable[[Came], None] | None = None

    def run(self) -> dict[str, Any]:
        """The response, unless it was left to somebody: they are told then."""
        with self._lock:
            if self._withdrawn:
                return {}
            self._begun = True
        came: Came
        try:
            came = self._service.extract(self.draft, self.order, self.deadline)
        except Exception as exc:  # noqa: BLE001 - raised again, or told to who took the work over
            came = exc
        with self._lock:
            self._came = came
            heir = self._heir
        if heir is not None:
            heir(came)
        elif isinstance(came, Exception):
            raise came
        return came if isinstance(came, dict) else {}

    def withdraw(self) -> bool:
        """Keep it from beginning; False when it has."""
        with self._lock:
            self._withdrawn = not self._begun
            return self._withdrawn

    def leave_to(self, heir: Callable[[Came], None]) -> Came | None:
        """Have `heir` told what comes of it, on the thread that works; what came of it already,
        where it has ended: nobody is told then.
        """
        with self._lock:
            if self._came is None:
                self._heir = heir
            return self._came


class Promises(Protocol):
    """Takes requests over. Its methods block; each may raise `Error`, and promises nothing then."""

    def deadline(self) -> Deadline:
        """How long work may take that is begun now and may be taken over."""
        ...

    def require_callback(self, url: str | None) -> None:
        """Raise `validation_error` for a `callback_url` that may not be called."""
        ...

    def accept(self, draft: Draft, order: Order) -> Promise:
        """Read it later."""
        ...

    def adopt(self, work: MovableWork) -> Promise:
        """Go on with what has been begun, so that it is not read twice."""
        ...

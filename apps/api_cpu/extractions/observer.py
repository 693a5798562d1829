"""Who is told how extractions ended: Protocols, so that counting is not reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Counting(Protocol):
    """Is told whether a question could be answered by an old answer."""

    def looked_up(self, *, found: bool) -> None:
        """One question."""
        ...


class Observer(Counting, Protocol):
    """Is told how each extraction ended."""

    def answered(self, response: Mapping[str, Any]) -> None:
        """A document was read."""
        ...

    def failed(self, code: str) -> None:
        """A document was not read."""
        ...

    def not_kept(self) -> None:
        """What was answered, a failure included, has no artifact."""
        ...

"""What was asked of a model for one document: kept as it happens, also when the document fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One question to a model server, answered or not.

    `card` says how it was asked, `purpose` what for. `prompt_sha256` is of everything that was sent
    but the pixels. `seconds` is the wall clock; `failed_attempts` say why it had to be sent again,
    and where there was no answer why each attempt failed.
    `error` is a code of the contract where there was no answer; `problem` says in our words why an
    answer could not be used. `text` is what the model wrote: it may hold anything that is on the
    document and is shown to nobody without the scope for it.
    """

    card: str
    model: str
    purpose: str
    prompt_sha256: str
    images: int
    seconds: float
    failed_attempts: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str | None = None
    error: str | None = None
    problem: str = ""
    text: str = field(default="", repr=False)


class Journal:
    """The calls of one document, in their order. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[ModelCall] = []
        self.price_per_hour = 0.0

    def add(self, call: ModelCall) -> None:
        """Note a call that is over."""
        with self._lock:
            self._calls.append(call)

    @property
    def calls(self) -> Sequence[ModelCall]:
        """Every call so far."""
        with self._lock:
            return tuple(self._calls)

    @property
    def seconds(self) -> float:
        """Seconds that the server was kept busy: an upper bound, since it serves others too."""
        return sum(call.seconds for call in self.calls)

    @property
    def cost(self) -> float:
        """US dollars: the seconds at the card's price."""
        return self.seconds * self.price_per_hour / 3600

    @property
    def raw_text(self) -> str | None:
        """Everything that the model wrote, or None when it was not asked."""
        texts = [call.text for call in self.calls if call.text]
        return "\n\n".join(texts) if texts else None

"""Finds the answer that was given to the same question; an aid that never fails a document.

There is no second store of what documents say: a row names the artifact that has the answer, and
what ends the artifact ends the answer.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.result_cache.store import CachedAnswer, CachedAnswerIndex
from apps.api_cpu.wire import dump, load_with_exact
from lib.errors import Error


@dataclass(frozen=True, slots=True)
class Question:
    """What decides an answer, besides the server itself.

    `owner_key_id`: an answer never leaves the key that it was given to. `task_sha256` is of the
    task's definition, its schema included. `vendors`: the revision of what the key knows of
    vendors. `received_on` decides how dates are read.
    """

    owner_key_id: str
    sha256: str
    task_id: str
    task_sha256: str
    options: Mapping[str, Any]
    vendors: int
    received_on: date


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """`lifetime_s`: how long an answer is given again; 0: never. `most` answers are known."""

    lifetime_s: float
    most: int


class ResultCache:
    """Known answers, in a database. Safe to share between threads and processes."""

    def __init__(
        self,
        index: CachedAnswerIndex,
        store: ArtifactStore,
        limits: CacheLimits,
        fingerprint: str,
        engine_name: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`fingerprint` of the server; `engine_name`: the OCR engine's, empty until it is known."""
        self._index = index
        self._store = store
        self._limits = limits
        self._fingerprint = fingerprint
        self._engine_name = engine_name
        self._clock = clock

    @property
    def is_on(self) -> bool:
        """Whether answers are given again."""
        return self._limits.lifetime_s > 0

    def key_of(self, question: Question) -> str | None:
        """The question in a few bytes; None while answers are not given again."""
        engine = self._engine_name()
        if not self.is_on or not engine:
            return None
        parts = [
            self._fingerprint,
            engine,
            question.owner_key_id,
            question.sha256,
            question.task_id,
            question.task_sha256,
            dict(sorted(question.options.items())),
            question.vendors,
            question.received_on.isoformat(),
        ]
        return hashlib.sha256(dump(parts)).hexdigest()

    def find(self, key: str) -> dict[str, Any] | None:
        """The artifact of the extraction that has answered it; None where none is left."""
        try:
            found = self._index.find(key, self._clock() - self._limits.lifetime_s)
            if found is None:
                return None
            artifact = load_with_exact(self._store.get(found.artifact_rel), "response")
        except ValueError:
            return None
        except Error as error:
            if error.code != "not_found":  # purged
                logs.warning("an answer was not looked for", code=error.code)
            return None
        return artifact

    def keep(self, key: str, question: Question, request_id: str, artifact_rel: str) -> None:
        """Note that an extraction, whose artifact is written, has answered a question."""
        owner, sha256 = question.owner_key_id, question.sha256
        answer = CachedAnswer(key, owner, sha256, request_id, artifact_rel, self._clock())
        try:
            self._index.keep(answer)
        except Error as error:
            logs.warning("an answer was not noted", request_id=request_id, code=error.code)

    def forget(self, request_id: str) -> None:
        """Do not give an extraction's answer again. Raises `storage_unavailable`."""
        self._index.forget_request(request_id)

    def forget_document(self, owner_key_id: str, sha256: str) -> None:
        """A person knows better than what was answered. Raises `storage_unavailable`."""
        self._index.forget_document(owner_key_id, sha256)

    def sweep(self) -> int:
        """Drop a batch of what is too old or too much; 0 when there is nothing left."""
        aged = self._index.forget_before(self._clock() - self._limits.lifetime_s)
        return aged or self._index.forget_beyond(self._limits.most)

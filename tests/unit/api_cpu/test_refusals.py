"""What is refused before anything was done: its artifact is written behind the answer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.auth.roles import LOCAL_ADMIN
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.observer import Observer
from apps.api_cpu.extractions.refusals import Refusals
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.extractions.turns import Refused
from apps.api_cpu.request_context import RequestContext, new_request_id
from lib.errors import Error, Kind


class _Kept:
    """Store, index and observer in one: remembers keys, and fails as it is told."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.keys: list[str] = []
        self.lost = 0

    def put(self, key: str, _data: bytes) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.keys.append(key)

    def restore(self, *_noted: Any) -> None:
        pass

    def failed(self, _code: str) -> None:
        pass

    def not_kept(self) -> None:
        self.lost += 1


def _refused_in(kept: _Kept, count: int) -> list[Error]:
    refusals = Refusals(cast(ArtifactStore, kept), cast(ExtractIndex, kept), cast(Observer, kept))
    busy = Refused("rate_limited", Kind.RATE_LIMITED, "Too many.")

    async def answer() -> Error:
        made = new_request_id()
        draft = Draft(RequestContext(made, made_id=made), LOCAL_ADMIN)
        return await refusals.kept(draft, busy, comes_again=False)

    answers = [asyncio.run(answer()) for _ in range(count)]
    refusals.stop()
    return answers


def test_each_is_kept_under_the_key_that_its_answer_names() -> None:
    kept = _Kept()
    answers = _refused_in(kept, 3)
    assert kept.keys == [answer.details["artifact_rel"] for answer in answers]
    assert kept.lost == 0


def test_one_that_cannot_be_written_takes_none_of_the_others_with_it() -> None:
    away = Error("storage_unavailable", Kind.UNAVAILABLE, "The store is away.", retryable=True)
    kept = _Kept(away, RuntimeError("a fault of ours"))
    answers = _refused_in(kept, 3)
    assert kept.keys == [answers[-1].details["artifact_rel"]]
    assert kept.lost == 2

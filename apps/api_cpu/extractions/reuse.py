"""A request that asks what was asked before: what decides that, and what the old answer becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.api_cpu.extractions.draft import Draft, task_hashes
from apps.api_cpu.extractions.observer import Counting
from apps.api_cpu.extractions.response import shown
from apps.api_cpu.extractions.schemas import ExtractRequest
from apps.api_cpu.result_cache.service import Question, ResultCache
from lib.domain.extraction import Extraction
from lib.domain.task import Task
from lib.pipelines.field_reading import FALLBACK

INPUT_NOT_KEPT = (
    "input_not_kept: the store did not take the document; `persist_inputs` was not done"
)
NO_ARTIFACT = "artifact_not_kept: the store failed while the document was read; keep this answer"

# Whatever else a request may say is taken to decide its answer.
_DECIDES_NOTHING = {
    "task_id", "image_base64", "image_ref", "filename", "mime_type", "request_id",
    "persist_inputs", "callback_url",
}  # fmt: skip
# Of a response: what belongs to the request and not to its document.
_OF_THE_REQUEST = frozenset({
    "request_id", "created_at", "input_ref", "timings_ms", "artifact_rel", "duplicates",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What the document decides of a response. `words` are its texts in reading order."""

    shown: dict[str, Any]
    words: Iterable[str]


class Reuse:
    """Old answers for requests that ask the same again. Safe to share between threads."""

    def __init__(self, cache: ResultCache, counting: Counting | None = None) -> None:
        self._cache = cache
        self._counting = counting

    def question(
        self,
        draft: Draft,
        task: Task,
        options: ExtractRequest,
        vendors: Callable[[], int | None],
        today: date,
    ) -> Question | None:
        """What decides the answer; None where it is to be made anew.

        That is so for who says how a model is asked or wants its text, and while `vendors`, the
        revision of what the key knows of them, cannot be looked up: it is None then.
        """
        debug = options.debug
        makes_anew = debug is not None and (debug.steers_model or debug.include_raw)
        if not self._cache.is_on or makes_anew or draft.image_sha256 is None:
            return None
        revision = vendors()
        if revision is None:
            return None
        return Question(
            owner_key_id=draft.caller.key_id,
            sha256=draft.image_sha256,
            task_id=task.id,
            task_sha256=task_hashes(task)["sha256"],
            options=options.model_dump(mode="json", exclude=_DECIDES_NOTHING),
            vendors=revision,
            received_on=today,
        )

    def known(self, draft: Draft, question: Question | None) -> Answer | None:
        """The old answer, which is noted in the draft; None where there is none."""
        key = None if question is None else self._cache.key_of(question)
        if key is None:
            return None
        with draft.stopwatch.station("cache"):
            artifact = self._cache.find(key)
        if self._counting is not None:
            self._counting.looked_up(found=artifact is not None)
        if artifact is None:
            return None
        draft.reused = artifact
        return _again(artifact)

    def keep(self, question: Question | None, response: Mapping[str, Any]) -> None:
        """Note an answer, unless it holds for this once only: a model was away, or the store."""
        key = None if question is None else self._cache.key_of(question)
        if question is None or key is None:
            return
        if any(w == NO_ARTIFACT or w.startswith(FALLBACK) for w in response["warnings"]):
            return
        self._cache.keep(key, question, response["request_id"], response["artifact_rel"])


def answer_of(extraction: Extraction, options: ExtractRequest) -> Answer:
    """The answer that was just read."""
    with_words = options.debug is not None and options.debug.include_words
    words = (word.text for page in extraction.pages for word in page.words)
    return Answer(shown(extraction, with_words=with_words), words)


def _again(artifact: Mapping[str, Any]) -> Answer:
    """The answer in an artifact, as if it had been read now."""
    response = artifact["response"]
    body = {name: value for name, value in response.items() if name not in _OF_THE_REQUEST}
    told = {f"duplicate:{other['request_id']}" for other in response["duplicates"]}
    body["warnings"] = [w for w in response["warnings"] if w not in told | {INPUT_NOT_KEPT}]
    body["cached_from"] = response["request_id"]
    words = (word["text"] for page in artifact["ocr_words"] for word in page["words"])
    return Answer(body, words)

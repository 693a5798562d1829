"""A run's stored answers against ground truth: no document is read again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apps.api_cpu.artifacts.service import ArtifactService
from apps.api_cpu.artifacts.store import ArtifactStore, eval_key
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.corrections.service import CorrectionService
from apps.api_cpu.errors import invalid, not_found
from apps.api_cpu.evals.report import artifact
from apps.api_cpu.evals.responses import prediction_of
from apps.api_cpu.evals.service import TruthSet, judge
from apps.api_cpu.jobs import file_names
from apps.api_cpu.request_context import is_request_id, new_request_id
from apps.api_cpu.runs.service import RunService
from apps.api_cpu.wire import dump
from lib.domain.task import Task
from lib.errors import Error, Kind
from lib.evaluation.evaluate import Prediction, field_types
from lib.evaluation.truth import TruthDocument, read_truth

Item = Mapping[str, Any]

# One document's name and one item's: no other has become the same.
_ONE_OF_BOTH = 2
# A UUID version 7 begins with 48 bits of Unix milliseconds.
_MILLISECOND_DIGITS = 12


class RunEvaluation:
    """Evaluates runs and shows evaluations. Safe to share between threads."""

    def __init__(
        self,
        store: ArtifactStore,
        artifacts: ArtifactService,
        runs: RunService,
        corrections: CorrectionService,
        tasks: Mapping[str, Task],
        new_id: Callable[[], str] = new_request_id,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._runs = runs
        self._corrections = corrections
        self._tasks = tuple(tasks.values())
        self._new_id = new_id

    def of_run(
        self,
        run_id: str,
        truth: Sequence[Mapping[str, Any]] | None,
        caller: Caller,
        eval_id: str | None = None,
    ) -> dict[str, Any]:
        """The evaluation of a run, written as an artifact under `eval_id`, by default a new one.

        Without `truth`, what persons corrected is the truth: each item that is kept and has
        corrections is judged on the fields that they name. Raises `not_found`, also for an item
        of the truth that is not kept any more; `validation_error`.
        """
        run = self._runs.one(run_id, caller)
        items = list(self._runs.items(run_id, caller))
        if truth is None:
            documents = self._corrected(items, caller)
        else:
            documents = self.documents("\n".join(dump(line).decode() for line in truth))
        return self._evaluate(
            documents, items, caller, run["task_id"], run_id, eval_id or self._new_id()
        )

    def of_items(
        self,
        documents: tuple[TruthDocument, ...],
        items: Sequence[Item],
        caller: Caller,
        task_id: str,
    ) -> dict[str, Any]:
        """The short form for a batch's response. Raises `storage_unavailable`."""
        found = self._evaluate(documents, items, caller, task_id, None, self._new_id())
        return {name: found[name] for name in ("eval_id", "artifact_rel", "documents", "micro")}

    def find(self, eval_id: str, caller: Caller) -> dict[str, Any]:
        """An evaluation again. Its id says on which day it was made. Raises `not_found`."""
        digits = eval_id.replace("-", "")[:_MILLISECOND_DIGITS]
        try:
            moment = datetime.fromtimestamp(int(digits, 16) / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            raise not_found() from None
        if not is_request_id(eval_id):
            raise not_found()
        return self._artifacts.read(eval_key(moment, eval_id), caller)

    def documents(self, text: str) -> tuple[TruthDocument, ...]:
        """The documents of a truth file's text. Raises `validation_error`."""
        documents = read_truth(text.splitlines(), field_types(self._tasks))
        if not documents:
            raise invalid("truth", "has no documents")
        return documents

    def _corrected(self, items: Sequence[Item], caller: Caller) -> tuple[TruthDocument, ...]:
        documents = []
        for item in items:
            if item["ok"]:
                fields = self._corrected_fields(item["request_id"], caller)
                rows = fields.pop("line_items", None)
                if fields or rows is not None:
                    rows = None if rows is None else tuple(rows)
                    documents.append(
                        TruthDocument(item["request_id"], item["file"], None, fields, rows)
                    )
        if not documents:
            raise invalid("truth", "is missing, and no item of the run has corrections")
        return tuple(documents)

    def _corrected_fields(self, request_id: str, caller: Caller) -> dict[str, Any]:
        """None of what has been purged, as nobody can correct it any more."""
        try:
            return self._corrections.corrected_fields(request_id, caller)
        except Error as error:
            if error.code != "not_found":
                raise
            return {}

    def _evaluate(
        self,
        documents: tuple[TruthDocument, ...],
        items: Sequence[Item],
        caller: Caller,
        task_id: str,
        run_id: str | None,
        eval_id: str,
    ) -> dict[str, Any]:
        judged_items = _judged(documents, items)
        predictions = tuple(map(self._prediction, documents, judged_items))
        text = "\n".join(repr(document) for document in documents)
        truth = TruthSet(Path(), documents, hashlib.sha256(text.encode()).hexdigest())
        judged = judge(truth, "run", predictions, self._tasks)
        moment = datetime.fromtimestamp(
            int(eval_id.replace("-", "")[:_MILLISECOND_DIGITS], 16) / 1000, UTC
        )
        rel = eval_key(moment, eval_id)
        content = artifact(judged, eval_id, moment, version("ocr-service"), task_id)
        for shown, item in zip(content["items"], judged_items, strict=True):
            # By which the extraction is found here too, should it be erased.
            shown["request_id"] = None if item is None else item["request_id"]
        content |= {"owner_key_id": caller.key_id, "run_id": run_id, "artifact_rel": rel}
        self._store.put(rel, dump(content))
        return content

    def _prediction(self, document: TruthDocument, item: Item | None) -> Prediction:
        if item is None:
            return Prediction(document.id, error="not_in_the_run")
        if not item["ok"]:
            return Prediction(document.id, error=item["error"]["code"])
        try:
            stored = self._artifacts.response(item["artifact_rel"])
        except Error as error:
            raise _not_kept(item) if error.code == "not_found" else error from error
        return prediction_of(document.id, stored, float(item["timings_ms"]["total"]))


def _judged(documents: Sequence[TruthDocument], items: Sequence[Item]) -> list[Item | None]:
    """The item of each document: by id or name, or by what alone became of a name too long."""
    by_name = {item["file"]: item for item in items}
    by_name |= {item["request_id"]: item for item in items}
    times = Counter(item["file"] for item in items)
    times.update(cut for one in documents for cut in file_names.shortened(one.file))

    def item_of(document: TruthDocument) -> Item | None:
        cuts = [cut for cut in file_names.shortened(document.file) if times[cut] == _ONE_OF_BOTH]
        names = (document.id, document.file, *cuts)
        return next((by_name[name] for name in names if name in by_name), None)

    return [item_of(document) for document in documents]


def _not_kept(item: Item) -> Error:
    return Error(
        "not_found",
        Kind.NOT_FOUND,
        "An extraction of this run is not kept any more, so that it cannot be judged.",
        {"extraction": item["request_id"]},
    )

"""Who reads the fields: rules alone, a model over them, or a model only where the rules doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, partial

from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction, Reading
from lib.domain.task import FieldSpec, Task
from lib.errors import Error, Kind
from lib.kie.models.asked import Asked
from lib.kie.models.model_extractor import ModelExtractor, ModelReader
from lib.kie.models.sight import Sight, View
from lib.pipelines.cascade import doubtful_fields, views_of
from lib.pipelines.rules import Rules, RulesAtWork
from lib.pipelines.stopwatch import Stopwatch

CPU = "cpu"
EINVOICE = "einvoice"
"""Who answers where no model is asked: the rules, or the XML of an e-invoice."""

FALLBACK = "fallback_cpu:"
"""What the warning begins with where the rules answered for a model that is away."""

# Nobody answered: another reader may. A model that answers nonsense is a fault to be seen instead.
_AWAY = frozenset({"inference_unavailable", "inference_timeout"})
# Of the time left, what the rules keep for themselves where they may have to answer.
_RESERVED, _LONGEST_RESERVE_S = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class ModelStation:
    """A served model as part of the pipeline.

    `backend` is its name in responses, vllm or mock. `cascade_below`: ask it only about fields that
    the rules answer with less confidence than that; None: about everything. `falls_back`: answer by
    the rules while it is away.
    """

    backend: str
    reader: ModelReader
    cascade_below: float | None = None
    falls_back: bool = False


@dataclass(frozen=True, slots=True)
class FieldsRead:
    """The reading of a document, and who gave it: `backend` is cpu unless a model was asked."""

    task: Task
    reading: Reading
    backend: str
    model: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Document:
    """What every way of reading works on."""

    by_rules: Rules
    pages: Sequence[Page]
    task: Task
    hints: Hints
    sight: Sight
    watch: Stopwatch

    def found(self) -> RawExtraction:
        """What the rules find."""
        with self._at_work(self.task) as work, self.watch.station("kie"):
            work.extract()
            return work.found()

    def finish(self, found: RawExtraction, asked: Asked | None = None) -> tuple[Task, Reading]:
        """The task that was answered, and its reading."""
        task = found.task or self.task
        with self.watch.station("post"), self._at_work(task) as work:
            return task, work.finish_over(found, asked)

    def _at_work(self, task: Task) -> AbstractContextManager[RulesAtWork]:
        return self.by_rules.on(self.pages, task, self.hints, self.sight)


def read_fields(
    by_rules: Rules,
    model: ModelStation | None,
    pages: Sequence[Page],
    task: Task,
    hints: Hints,
    sight: Sight,
    watch: Stopwatch,
) -> FieldsRead:
    """The task's fields on pages that have been read, by rules and the model, where there is one.

    Raises `inference_unavailable`, `inference_timeout`, `inference_bad_output`, `Canceled`, and
    what `by_rules` raises; of a model that is away only where nothing may answer for it.
    """
    if model is None:
        with by_rules.on(pages, task, hints, sight) as work:
            with watch.station("kie"):
                chosen = work.extract()
            still_wanted(sight)
            with watch.station("post"):
                reading = work.finish()
        return FieldsRead(chosen, reading, CPU, by_rules.name)

    document = _Document(by_rules, pages, task, hints, sight, watch)
    rules = cache(document.found)
    patience = _with_time_left(sight.deadline) if model.falls_back else sight.deadline
    seeing = model.reader.looking_at(replace(sight, deadline=patience))
    if model.cascade_below is not None or seeing.needs_rules_for(task):
        rules()
    still_wanted(sight)
    return _with_model(document, rules, model, seeing)


def _with_model(
    document: _Document,
    rules: Callable[[], RawExtraction],
    station: ModelStation,
    model: ModelExtractor,
) -> FieldsRead:
    ask: Callable[[ModelExtractor], Asked]
    if station.cascade_below is None:
        ask = partial(_ask_over, document, rules)
    else:
        task, first = document.finish(rules())
        doubts = doubtful_fields(first, task, station.cascade_below)
        views = views_of(doubts, rules(), document.pages)
        if not doubts or not views:
            return FieldsRead(task, first, CPU, document.by_rules.name)
        ask = partial(_ask_about, doubts, views, rules)
    try:
        with document.watch.station("model") as span:
            asked = ask(model.within(span))
    except Error as error:
        is_over = document.sight.deadline.passed
        if not station.falls_back or error.code not in _AWAY or is_over:
            raise
        reason = error.details.get("reason", "no reason given")
        warning = f"{FALLBACK}{error.code}: the model could not be asked ({reason})"
        return FieldsRead(*document.finish(rules()), CPU, document.by_rules.name, (warning,))
    return FieldsRead(*document.finish(rules(), asked), station.backend, model.name)


def _ask_over(
    document: _Document, rules: Callable[[], RawExtraction], model: ModelExtractor
) -> Asked:
    return model.ask_over(rules, document.pages, document.task)


def _ask_about(
    doubts: Sequence[FieldSpec],
    views: Sequence[View],
    rules: Callable[[], RawExtraction],
    model: ModelExtractor,
) -> Asked:
    asked = model.ask(rules, doubts, views, rules().language)
    return replace(asked, competes=True)


def _with_time_left(deadline: Deadline) -> Deadline:
    """A little earlier than `deadline`: a model that hangs must leave time to answer without it."""
    reserve = min(_LONGEST_RESERVE_S, deadline.remaining() * _RESERVED)
    return replace(deadline, at=deadline.at - reserve)


def still_wanted(sight: Sight) -> None:
    """Rules and post run to their end once begun: they are not begun for nobody.

    Raises `inference_timeout` past the deadline, `Canceled` when the caller has left.
    """
    if sight.asking.cancellation is not None:
        sight.asking.cancellation.check()
    if sight.deadline.passed:
        raise Error(
            "inference_timeout",
            Kind.TIMEOUT,
            "The document was not read in the time allowed.",
            retryable=True,
        )

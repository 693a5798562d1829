"""Reads fields with a model, over what the rules have found: the same for every dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from lib.domain.document import Page
from lib.domain.extraction import Candidate, Hints, RawExtraction
from lib.domain.task import FieldSpec, FieldType, Task
from lib.domain.tracing import Span
from lib.errors import Error, Kind
from lib.inference.client import InferenceClient
from lib.inference.failures import Cause
from lib.kie.extractor import Extractor
from lib.kie.models.card import Dialect, ModelCard
from lib.kie.models.card_files import ModelCards
from lib.kie.models.chat import ChatAsker
from lib.kie.models.dialect import Asker
from lib.kie.models.grounded import ground
from lib.kie.models.prompts import ChatPrompt
from lib.kie.models.said import ModelAnswer
from lib.kie.models.sight import Sight, View, both_ends
from lib.kie.models.tilt import TiltAsker


@dataclass(frozen=True, slots=True)
class ModelReader:
    """The models that may be asked, and the usual one. Safe to share between threads."""

    cards: ModelCards
    client: InferenceClient
    model: str
    rules: Extractor

    def looking_at(self, sight: Sight) -> ModelExtractor:
        """The extractor for one open document, with the model that its caller wants.

        Raises `validation_error` for a temperature that the model does not take.
        """
        model = sight.asking.model or self.model
        card = self.cards.for_model(model)
        if sight.asking.temperature is not None and card.dialect is Dialect.TILT:
            problem = {"field": "debug.temperature", "message": "the model takes no temperature"}
            raise Error(
                "validation_error",
                Kind.UNPROCESSABLE,
                "The request is not valid: `debug.temperature`.",
                {"errors": [problem]},
            )
        sight.asking.journal.price_per_hour = card.price_per_hour
        return ModelExtractor(card, self._asker(card), model, self.rules, sight)

    def _asker(self, card: ModelCard) -> Asker:
        prompt = self.cards.prompts[card.id]
        if isinstance(prompt, ChatPrompt):
            return ChatAsker(card, prompt, self.client)
        return TiltAsker(card, prompt, self.client)


class ModelExtractor:
    """An `Extractor` for one open document: rules first, then a model asked over them."""

    def __init__(
        self, card: ModelCard, asker: Asker, model: str, rules: Extractor, sight: Sight
    ) -> None:
        self._card = card
        self._asker = asker
        self._model = model
        self._rules = rules
        self._sight = sight

    @property
    def name(self) -> str:
        """The model's served name."""
        return self._model

    def within(self, span: Span) -> ModelExtractor:
        """The same, whose calls are parts of that span."""
        sight = replace(self._sight, asking=replace(self._sight.asking, span=span))
        return ModelExtractor(self._card, self._asker, self._model, self._rules, sight)

    def extract(self, pages: Sequence[Page], task: Task, hints: Hints) -> RawExtraction:
        """Candidates as the model gives them, where they are printed; the type is by the rules."""
        return self.read_over(cache(lambda: self._rules.extract(pages, task, hints)), pages, task)

    def needs_rules_for(self, task: Task) -> bool:
        """Whether it has to be known what the rules found before the model can be asked: which of
        several tasks fits, or the language and the tables for a model that takes questions.
        """
        return bool(task.choices) or self._card.dialect is Dialect.TILT

    def read_over(
        self, rules: Callable[[], RawExtraction], pages: Sequence[Page], task: Task
    ) -> RawExtraction:
        """The same, with what the rules find on these pages: `rules` is called more than once, and
        while the model is waited for where `needs_rules_for` says that this is early enough.

        Every field is the model's; a table is the rules' where the dialect has no tables and they
        found rows.
        """
        views = [View(page) for page in pages]
        if not self.needs_rules_for(task):
            return replace(self.ask(rules, pages, task.fields, views), task=task)
        found = rules()
        chosen = found.task or task
        by_layout = {
            spec.name
            for spec in chosen.fields
            if self._card.dialect is Dialect.TILT and found.tables.get(spec.name)
        }
        wanted = [spec for spec in chosen.fields if spec.name not in by_layout]
        asked = self.ask(rules, pages, wanted, views, found.language)
        kept = {name: found.tables[name] for name in by_layout}
        return replace(asked, tables={**asked.tables, **kept}, task=chosen)

    def ask(
        self,
        by_rules: Callable[[], RawExtraction],
        pages: Sequence[Page],
        fields: Sequence[FieldSpec],
        views: Sequence[View],
        language: str | None = None,
    ) -> RawExtraction:
        """What the model says of `fields` on `views`, looked for on all `pages`.

        Of more views than the card allows, or than fit the model, the first and the last are shown,
        and a warning says so. A document without pages is not shown to anybody. `by_rules` as the
        `rules` of `read_over`; `language` is that of the questions.
        """
        if not views or not fields:
            return replace(by_rules(), fields={}, tables={})
        asking = replace(self._sight.asking, meanwhile=by_rules)
        answer, shown = self._answer(fields, views, language, replace(self._sight, asking=asking))
        rules = by_rules()
        found = ground(answer, fields, pages, rules)
        warnings = rules.warnings
        if shown < len(views):
            left_out = f"pages_not_shown: the model saw {shown} of {len(views)} pages"
            warnings = (*warnings, left_out)
        return replace(
            rules,
            fields=found.fields,
            tables=found.tables,
            doubts=found.doubts,
            lost_cells=found.lost,
            warnings=warnings,
            model_weights=self._card.weights,
        )

    def _answer(
        self,
        fields: Sequence[FieldSpec],
        views: Sequence[View],
        language: str | None,
        sight: Sight,
    ) -> tuple[ModelAnswer, int]:
        """The answer, and how many views it is about: half as many until they fit the model."""
        shown = both_ends(views, self._card.limits.pages)
        while True:
            try:
                answer = self._asker.ask(fields, shown, language, self._model, sight)
            except Error as error:
                if error.details.get("reason") != Cause.TOO_MANY_TOKENS or len(shown) == 1:
                    raise
                shown = both_ends(shown, len(shown) // 2)
            else:
                return answer, len(shown)


def merged(rules: RawExtraction, model: RawExtraction, asked: Sequence[FieldSpec]) -> RawExtraction:
    """The rules' findings with the model's on the fields that it was asked for.

    Candidates of both compete; a table is the model's when it found rows of it.
    """
    fields = dict(rules.fields)
    tables = dict(rules.tables)
    for spec in asked:
        if spec.type is FieldType.TABLE:
            if rows := model.tables.get(spec.name):
                tables[spec.name] = rows
        elif found := (*model.fields.get(spec.name, ()), *rules.fields.get(spec.name, ())):
            fields[spec.name] = tuple(sorted(found, key=_by_score))
    return replace(
        rules,
        fields=fields,
        tables=tables,
        doubts=model.doubts,
        lost_cells=model.lost_cells,
        warnings=model.warnings,
        model_weights=model.model_weights,
    )


def _by_score(candidate: Candidate) -> float:
    return -candidate.score

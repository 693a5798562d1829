"""Reads fields with a model, over what the rules have found: the same for every dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction
from lib.domain.task import FieldSpec, Task
from lib.domain.tracing import Span
from lib.errors import Error, Kind
from lib.inference.client import InferenceClient
from lib.inference.failures import Cause
from lib.kie.extractor import Extractor
from lib.kie.models.asked import Asked
from lib.kie.models.card import Dialect, ModelCard
from lib.kie.models.card_files import ModelCards
from lib.kie.models.chat import ChatAsker
from lib.kie.models.dialect import Asker
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
        rules = cache(lambda: self._rules.extract(pages, task, hints))
        asked = self.ask_over(rules, pages, task)
        found = rules()
        return asked.over(found, pages, found.task or task)

    def needs_rules_for(self, task: Task) -> bool:
        """Whether it has to be known what the rules found before the model can be asked: which of
        several tasks fits, or the language and the tables for a model that takes questions.
        """
        return bool(task.choices) or self._card.dialect is Dialect.TILT

    def ask_over(
        self, rules: Callable[[], RawExtraction], pages: Sequence[Page], task: Task
    ) -> Asked:
        """Ask for every field of the task on these pages, but for the tables of which the rules
        found rows where the dialect has no tables.

        `rules` gives what the rules find; it is called more than once, and while the model is
        waited for where `needs_rules_for` says that this is early enough.
        """
        views = [View(page) for page in pages]
        if not self.needs_rules_for(task):
            return self.ask(rules, task.fields, views)
        found = rules()
        chosen = found.task or task
        kept = tuple(
            spec.name
            for spec in chosen.fields
            if self._card.dialect is Dialect.TILT and found.tables.get(spec.name)
        )
        wanted = [spec for spec in chosen.fields if spec.name not in kept]
        return replace(self.ask(rules, wanted, views, found.language), kept=kept)

    def ask(
        self,
        meanwhile: Callable[[], object],
        fields: Sequence[FieldSpec],
        views: Sequence[View],
        language: str | None = None,
    ) -> Asked:
        """What the model says of `fields` on `views`.

        Of more views than the card allows, or than fit the model, the first and the last are shown,
        and a warning says so. A document without pages is not shown to anybody. `meanwhile` is
        called while a model that writes its answer is waited for; `language` is that of the
        questions.
        """
        names = tuple(spec.name for spec in fields)
        if not views or not fields:
            return Asked(ModelAnswer({}, {}), names, self._card.weights)
        asking = replace(self._sight.asking, meanwhile=meanwhile)
        answer, shown = self._answer(fields, views, language, replace(self._sight, asking=asking))
        left_out = f"pages_not_shown: the model saw {shown} of {len(views)} pages"
        warnings = (left_out,) if shown < len(views) else ()
        return Asked(answer, names, self._card.weights, warnings)

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

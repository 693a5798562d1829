"""The dialect `tilt`: words, boxes and page image, and one question for each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lib.domain.document import Word
from lib.domain.geometry import Polygon
from lib.domain.model_calls import ModelCall
from lib.domain.task import FieldSpec, FieldType
from lib.errors import Error
from lib.inference.client import InferenceClient, TiltAnswers
from lib.inference.failures import Cause
from lib.inference.wire import (
    VALUE_SEPARATOR,
    AnswersRequest,
    DocumentPage,
    ImageUrl,
    OcrDocument,
    Question,
    QuestionAnswer,
)
from lib.kie.models.card import ModelCard
from lib.kie.models.dialect import Question as Asked
from lib.kie.models.dialect import bad_output
from lib.kie.models.forms import has_form
from lib.kie.models.prompts import TiltPrompt, prompt_hash
from lib.kie.models.said import NOTHING, ModelAnswer, Said, SaidRow
from lib.kie.models.sight import Sight, View

_NEAR_ENDS = 2  # pages at each end of a long document on which a field may stand
_SUMS = frozenset({FieldType.MONEY, FieldType.PERCENT, FieldType.IBAN, FieldType.BIC})
_CELLS = frozenset({FieldType.MONEY, FieldType.NUMBER})
_LONGEST_QUESTION = 480  # characters: the model takes 256 tokens and counts the separator
_SHARE_AGAIN = 0.5  # of the time left, what asking again may take: there is an answer already


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A question, the language that it is in, and the type of what answers it."""

    text: str
    language: str
    kind: FieldType


class TiltAsker:
    """Asks a question-answering model: a document once, with the questions about it.

    The model encodes the document again for each question, so a field is only asked on the pages
    where it can stand. A table has no answer of its own: its rows are named first, and then each
    row is asked for its cells. What is answered in a form that its type does not have is asked
    again, with the reason in the question.
    """

    def __init__(self, card: ModelCard, prompt: TiltPrompt, client: InferenceClient) -> None:
        self._card = card
        self._prompt = prompt
        self._client = client

    def ask(
        self,
        fields: Sequence[FieldSpec],
        views: Sequence[View],
        language: str | None,
        model: str,
        sight: Sight,
    ) -> ModelAnswer:
        """See `Asker`; `language` is that of the questions."""
        legible = [view for view in views if view.words]
        tables = [spec for spec in fields if spec.type is FieldType.TABLE and _name_column(spec)]
        questions: dict[str, _Wanted] = {
            spec.name: _wanted(spec, spec.question_in(language), language)
            for spec in fields
            if spec.type is not FieldType.TABLE and spec.question
        }
        for table in tables:
            column = _name_column(table)
            if column is not None:
                text = self._prompt.ask_column(column.question_in(language))
                wanted = replace(_wanted(column, text, language), kind=FieldType.TABLE)
                questions[f"{table.name}.{column.name}"] = wanted
        said: dict[str, tuple[Said, ...]] = {}
        if legible and questions:
            for group, shown in _by_pages(questions, legible).items():
                said |= self._put({name: questions[name] for name in group}, shown, model, sight)
        rows = {
            table.name: self._rows(table, said, legible, language, model, sight) for table in tables
        }
        names = {spec.name for spec in fields}
        return ModelAnswer({n: values for n, values in said.items() if n in names and values}, rows)

    def _rows(
        self,
        table: FieldSpec,
        said: Mapping[str, tuple[Said, ...]],
        views: Sequence[View],
        language: str | None,
        model: str,
        sight: Sight,
    ) -> tuple[SaidRow, ...]:
        """The rows that were named, each asked for its numbers, as far as that is worth its price.

        More rows than the card allows are left to whoever reads tables by their layout: none are
        returned then.
        """
        column = _name_column(table)
        names = said.get(f"{table.name}.{column.name}", ()) if column else ()
        if column is None or not 0 < len(names) <= self._card.limits.table_rows:
            return ()
        cells = [spec for spec in table.columns if spec.type in _CELLS and spec.question]
        most = self._card.limits.questions // len(names)
        cells = sorted(cells, key=lambda spec: spec.name != "amount")[:most]
        questions = {
            f"{index}.{spec.name}": _wanted(
                spec, self._prompt.ask_cell(spec.question_in(language), name.text), language
            )
            for index, name in enumerate(names)
            for spec in cells
        }
        found = self._put(questions, views, model, sight) if questions else {}
        rows: list[SaidRow] = []
        for index, name in enumerate(names):
            row = {column.name: name}
            for spec in cells:
                if values := found.get(f"{index}.{spec.name}"):
                    row[spec.name] = values[0]
            rows.append(row)
        return tuple(rows)

    def _put(
        self, questions: Mapping[str, _Wanted], views: Sequence[View], model: str, sight: Sight
    ) -> dict[str, tuple[Said, ...]]:
        """The values that answer each question; one without an answer is missing.

        Answers of the wrong form are asked for again, all in one call, as often as the card allows.
        Those of the last time are given as they are: an amount that is none is found on no page.
        When nobody answers any more, what was said before counts.
        """
        document = OcrDocument(pages=tuple(self._page(view, sight) for view in views))
        most = self._card.limits.questions
        texts = {name: wanted.text for name, wanted in list(questions.items())[:most]}
        said: dict[str, tuple[Said, ...]] = {}
        problem = ""
        for attempt in range(self._card.attempts):
            asked = tuple(Question(name=n, text=t[:_LONGEST_QUESTION]) for n, t in texts.items())
            request = AnswersRequest(model=model, document=document, questions=asked)
            try:
                answers, record = self._call(request, len(views), attempt, _patient(sight, said))
            except Error:
                if not said:
                    raise
                return said
            if problem := _problem(request, answers):
                unusable = replace(record, error="inference_bad_output", problem=problem)
                sight.asking.journal.add(unusable)
                continue
            said |= {answer.name: _values(answer) for answer in answers.answers}
            texts = self._again(questions, answers)
            of_wrong_form = f"not of the form asked for: {', '.join(texts)}" if texts else ""
            sight.asking.journal.add(replace(record, problem=of_wrong_form))
            if not texts:
                break
        if not said:
            raise bad_output(problem)
        return said

    def _call(
        self, request: AnswersRequest, images: int, attempt: int, sight: Sight
    ) -> tuple[TiltAnswers, ModelCall]:
        """The answers, and the record of the call, which is not yet in the journal.

        Raises `inference_bad_output` for too many tokens where the document did not fit into the
        model's memory: fewer pages may.
        """
        asked = Asked(
            self._card,
            request.model or "",
            f"{len(request.questions)} questions{' again' if attempt else ''}",
            prompt_hash(*(question.text for question in request.questions)),
            images=images,
        )
        answers, record = asked.put(
            lambda span: self._client.answers(
                request,
                sight.deadline,
                cancellation=sight.asking.cancellation,
                request_id=sight.asking.request_id,
                span=span,
            ),
            sight,
        )
        record = replace(record, text=_as_text(answers))
        if answers.answers and not any(
            a.text or a.finish_reason != "length" for a in answers.answers
        ):
            reason = Cause.TOO_MANY_TOKENS
            sight.asking.journal.add(replace(record, error="inference_bad_output", problem=reason))
            raise bad_output(reason)
        return answers, record

    def _again(self, questions: Mapping[str, _Wanted], answers: TiltAnswers) -> dict[str, str]:
        """The questions to which the answers are cut or not of their form, with that in them."""
        again: dict[str, str] = {}
        for answer in answers.answers:
            wanted, values = questions[answer.name], _values(answer)
            if not values and answer.finish_reason != "stop":
                again[answer.name] = self._prompt.ask_shorter(wanted.text, wanted.language)
            elif values and not any(has_form(wanted.kind, v.text, wanted.language) for v in values):
                again[answer.name] = self._prompt.ask_again(
                    wanted.text, wanted.language, wanted.kind, values[0].text
                )
        return again

    def _page(self, view: View, sight: Sight) -> DocumentPage:
        """A part of a page in pixels of its own, with the words whose middles lie in it."""
        image = sight.images.encoded(view.page, view.part, self._card.image.as_limits())
        words = view.words
        return DocumentPage(
            width=image.width,
            height=image.height,
            words=tuple(word.text for word in words),
            bboxes=tuple(_box(word, view.part, image.width, image.height) for word in words),
            image=ImageUrl(url=image.data_uri),
        )


def _wanted(spec: FieldSpec, text: str, language: str | None) -> _Wanted:
    return _Wanted(text, spec.language_asked(language), spec.type)


def _patient(sight: Sight, said: Mapping[str, tuple[Said, ...]]) -> Sight:
    """The same with all its time for the first answer, and a part of it for a better one."""
    if not said:
        return sight
    spared = sight.deadline.remaining() * (1 - _SHARE_AGAIN)
    return replace(sight, deadline=replace(sight.deadline, at=sight.deadline.at - spared))


def _name_column(table: FieldSpec) -> FieldSpec | None:
    """The column that tells a table's rows apart in words, if it has one with a question."""
    return next((c for c in table.columns if c.type is FieldType.STRING and c.question), None)


def _by_pages(
    questions: Mapping[str, _Wanted], views: Sequence[View]
) -> dict[tuple[str, ...], Sequence[View]]:
    """The questions in groups that are asked on the same pages.

    Parties, dates and numbers stand on the first pages; sums and accounts on the first or the last;
    rows anywhere.
    """
    if len(views) <= _NEAR_ENDS:
        return {tuple(questions): views}
    kinds = {name: wanted.kind for name, wanted in questions.items()}
    head = tuple(n for n, kind in kinds.items() if kind not in _SUMS | {FieldType.TABLE})
    sums = tuple(n for n, kind in kinds.items() if kind in _SUMS)
    rows = tuple(n for n, kind in kinds.items() if kind is FieldType.TABLE)
    ends = [*views[:_NEAR_ENDS], *views[max(_NEAR_ENDS, len(views) - _NEAR_ENDS) :]]
    groups = {head: views[:_NEAR_ENDS], sums: ends, rows: views}
    return {names: shown for names, shown in groups.items() if names}


def _box(word: Word, part: Polygon, width: int, height: int) -> tuple[float, float, float, float]:
    """A word's box in the pixels of its part, inside it and never inside out."""
    across, down = part.x1 - part.x0, part.y1 - part.y0

    def inside(value: float, start: float, size: float, pixels: int) -> float:
        return round(min(1.0, max(0.0, (value - start) / size)) * pixels, 2)

    box = word.polygon
    return (
        inside(box.x0, part.x0, across, width),
        inside(box.y0, part.y0, down, height),
        inside(box.x1, part.x0, across, width),
        inside(box.y1, part.y0, down, height),
    )


def _problem(request: AnswersRequest, answers: TiltAnswers) -> str:
    """What makes the answers unusable; empty when nothing does."""
    if [answer.name for answer in answers.answers] != [q.name for q in request.questions]:
        return "the answers are not those to the questions"
    return ""


def _values(answer: QuestionAnswer) -> tuple[Said, ...]:
    """The values of an answer; of one that was cut, all but the last."""
    texts = [" ".join(text.split()) for text in answer.text.split(VALUE_SEPARATOR)]
    if answer.finish_reason != "stop":
        texts = texts[:-1]
    kept = (text for text in dict.fromkeys(texts) if text.casefold() not in NOTHING)
    return tuple(Said(text, answer.score) for text in kept)


def _as_text(answers: TiltAnswers) -> str:
    return "\n".join(f"{a.name}: {a.text} ({a.score:.3f})" for a in answers.answers)

"""The dialect `chat`: page images and a JSON Schema in one request, asked again with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from lib.domain.task import FieldSpec
from lib.inference.client import ChatAnswer, InferenceClient
from lib.inference.wire import (
    ChatRequest,
    ImagePart,
    ImageUrl,
    JsonSchemaFormat,
    Message,
    ResponseFormat,
    TextPart,
)
from lib.kie.models import card as cards
from lib.kie.models.answer_schema import answer_schema
from lib.kie.models.card import ModelCard
from lib.kie.models.dialect import Question, bad_output
from lib.kie.models.json_answer import UnusableAnswer, read_json_answer
from lib.kie.models.prompts import ChatPrompt, prompt_hash
from lib.kie.models.said import ModelAnswer
from lib.kie.models.sight import Sight, View

_ECHO = 2000  # characters of an unusable answer that are shown to the model again


class ChatAsker:
    """Asks a vision-language model for all fields at once."""

    def __init__(self, card: ModelCard, prompt: ChatPrompt, client: InferenceClient) -> None:
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
        """See `Asker`. `language` is not needed: the words of the prompt are in English."""
        messages = self._messages(fields, views, sight)
        reason = ""
        for attempt in range(self._card.attempts):
            request = self._request(fields, messages, model, attempt, sight)
            question = Question(
                self._card,
                model,
                "retry" if attempt else "fields",
                _hash(request),
                images=len(views),
            )
            answer, record = question.put(
                lambda span, request=request: self._client.complete(  # type: ignore[misc]  # bound at once
                    request,
                    sight.deadline,
                    cancellation=sight.asking.cancellation,
                    request_id=sight.asking.request_id,
                    span=span,
                    meanwhile=partial(_meanwhile, sight),
                ),
                sight,
            )
            record = replace(record, finish_reason=answer.finish_reason, text=answer.text)
            try:
                said = self._understand(answer, fields)
            except UnusableAnswer as unusable:
                reason = unusable.reason
                sight.asking.journal.add(
                    replace(record, error="inference_bad_output", problem=reason)
                )
                messages = (*messages, *self._complaint(answer.text, reason))
                continue
            sight.asking.journal.add(record)
            return said
        raise bad_output(reason)

    def _understand(self, answer: ChatAnswer, fields: Sequence[FieldSpec]) -> ModelAnswer:
        if answer.finish_reason == "length":
            raise UnusableAnswer(self._prompt.cut)
        if answer.finish_reason != "stop":
            raise UnusableAnswer("it was not finished")
        return read_json_answer(answer.text, fields, self._card.limits.table_rows, self._card.score)

    def _messages(
        self, fields: Sequence[FieldSpec], views: Sequence[View], sight: Sight
    ) -> tuple[Message, ...]:
        parts: list[TextPart | ImagePart] = []
        for view in views:
            image = sight.images.encoded(view.page, view.part, self._card.image.as_limits())
            parts.append(TextPart(text=f"Page {view.page.number}:"))
            parts.append(ImagePart(image_url=ImageUrl(url=image.data_uri)))
        if text := self._recognised(views):
            parts.append(TextPart(text=self._prompt.recognised(text)))
        parts.append(TextPart(text=self._prompt.ask(fields, len(views))))
        return (
            Message(role="system", content=self._prompt.system),
            Message(role="user", content=tuple(parts)),
        )

    def _recognised(self, views: Sequence[View]) -> str:
        """The words of the views, each page's share of what the card allows."""
        if not self._card.ocr_text:
            return ""
        share = self._card.limits.ocr_characters // len(views)
        return "\n\n".join(view.text[:share] for view in views).strip()

    def _complaint(self, text: str, reason: str) -> tuple[Message, ...]:
        return (
            Message(role="assistant", content=text[:_ECHO] or "(nothing)"),
            Message(role="user", content=self._prompt.again(reason)),
        )

    def _request(
        self,
        fields: Sequence[FieldSpec],
        messages: tuple[Message, ...],
        model: str,
        attempt: int,
        sight: Sight,
    ) -> ChatRequest:
        sampling = self._card.sampling
        temperature = sight.asking.temperature
        if temperature is None:
            temperature = sampling.retry_temperature if attempt else sampling.temperature
        return ChatRequest(
            model=model,
            messages=messages,
            max_tokens=self._card.limits.answer_tokens,
            temperature=temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            response_format=self._format(fields),
        )

    def _format(self, fields: Sequence[FieldSpec]) -> ResponseFormat | None:
        if self._card.response_format is not cards.ResponseFormat.JSON_SCHEMA:
            return None
        schema = answer_schema(fields, self._card.limits.table_rows)
        return ResponseFormat(
            type="json_schema",
            json_schema=JsonSchemaFormat(name="fields", schema=schema, strict=True),
        )


def _meanwhile(sight: Sight) -> None:
    # Models take seconds: the document's decoder is not kept waiting for them. Fewer of the same
    # pages may be shown yet, but no other ones.
    sight.images.release()
    if sight.asking.meanwhile is not None:
        sight.asking.meanwhile()


def _hash(request: ChatRequest) -> str:
    """Of every text in the request; images are told by the document's own hash."""
    texts = [
        part.text
        for message in request.messages
        for part in (
            (TextPart(text=message.content),)
            if isinstance(message.content, str)
            else message.content
        )
        if isinstance(part, TextPart)
    ]
    return prompt_hash(*texts)

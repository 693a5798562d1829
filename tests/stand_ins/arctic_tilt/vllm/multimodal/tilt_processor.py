"""The fork's preprocessing with its failures and without its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Page:
    words: list[str]
    bboxes: list[tuple[float, float, float, float]]
    width: float
    height: float
    image: Any


@dataclass
class Document:
    ident: str
    pages: list[Page]
    split: str | None = None


@dataclass
class Question:
    feature_name: str
    text: str


class TiltPreprocessor:
    def __init__(self, config: Any, tokenizer: Any) -> None:
        self._config = config
        self._tokenizer = tokenizer

    @classmethod
    def from_config(cls, model_config: Any, tokenizer: Any) -> TiltPreprocessor:
        return cls(model_config, tokenizer)

    def preprocess(self, document: Document, questions: list[Question]) -> list[dict[str, Any]]:
        prefixes = [self._prefix(question) for question in questions]
        self._tokenizer.truncation = True
        ids = [token for page in document.pages for token in self._page(page)]
        ids[0]  # the fork's IndexError for a document without words
        return [
            {
                "encoder_prefix_prompt": {"prompt_token_ids": prefix},
                "encoder_prompt": {"prompt_token_ids": ids},
                "what": (document, question),
            }
            for prefix, question in zip(prefixes, questions, strict=True)
        ]

    def _prefix(self, question: Question) -> list[int]:
        ids = self._tokenizer.encode(question.text + self._config.prefix_separator).ids
        if len(ids) > self._config.max_question_length:
            raise RuntimeError("Tokenized question is too long.")
        return list(ids)

    def _page(self, page: Page) -> list[int]:
        pairs = list(zip(page.words, page.bboxes, strict=True))
        if page.image.mode not in {"L", "RGB"}:
            raise RuntimeError("shape is invalid")
        assert page.image.width / page.width  # the fork's ZeroDivisionError
        return list(self._tokenizer.encode([word for word, _ in pairs], is_pretokenized=True).ids)

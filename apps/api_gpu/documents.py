"""From the wire to the engine: everything that would kill or corrupt it is refused here.

The rules are Arctic-TILT's own, found in its code. Without words its preprocessing fails; without
an image, or with more pages than its limit, the engine's loop dies for everybody; more tokens than
its limit are cut without a word; an over-long question raises; boxes are read in the page's unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.api_gpu.engine import Box, EnginePage, Limits, TiltEngine
from apps.api_gpu.errors import refused
from apps.api_gpu.page_images import page_picture
from lib.errors import Error
from lib.inference.wire import DocumentPage, OcrDocument


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `param` names it in the request."""

    text: str
    param: str


@dataclass(frozen=True, slots=True)
class Readable:
    """A page with words: those that show something, with their boxes moved onto the page.

    `param` names the page in the request.
    """

    page: DocumentPage
    words: tuple[str, ...]
    boxes: tuple[Box, ...]
    param: str


def check_text(
    engine: TiltEngine, document: OcrDocument, questions: Sequence[Question], param: str
) -> tuple[Readable, ...]:
    """The pages to be read, once all that is text has been found good; no pixel is decoded yet.

    A page without words is left out: the model answers from words alone. `param` names the document
    in the request. Blocking, and never two at once: the tokenizer has one state.
    Raises `Error` (400).
    """
    limits = engine.limits
    if len(document.pages) > limits.pages:
        raise refused(
            f"The document has {len(document.pages)} pages; {limits.pages} are allowed.",
            f"{param}.pages",
            "too_many_pages",
        )
    pages = [
        Readable(page, *_kept_words(page), f"{param}.pages.{number}")
        for number, page in enumerate(document.pages)
    ]
    _check_tokens(engine, [page.words for page in pages], f"{param}.pages")
    for question in questions:
        _check_question(engine, question)
    return tuple(page for page in pages if page.words)


def engine_pages(pages: Sequence[Readable], limits: Limits) -> tuple[EnginePage, ...]:
    """The pages with their pixels. Blocking. Raises `Error` (400)."""
    return tuple(_engine_page(page, limits) for page in pages)


def _kept_words(page: DocumentPage) -> tuple[tuple[str, ...], tuple[Box, ...]]:
    """Words that show something, with their boxes moved onto the page."""
    kept = [
        (word, _onto_page(box, page))
        for word, box in zip(page.words, page.bboxes, strict=True)
        if word.strip()
    ]
    return tuple(word for word, _ in kept), tuple(box for _, box in kept)


def _onto_page(box: Box, page: DocumentPage) -> Box:
    x0, y0, x1, y1 = box
    return (
        min(max(x0, 0.0), page.width),
        min(max(y0, 0.0), page.height),
        min(max(x1, 0.0), page.width),
        min(max(y1, 0.0), page.height),
    )


def _check_tokens(engine: TiltEngine, pages: Sequence[Sequence[str]], param: str) -> None:
    limit = engine.limits.tokens
    # A word is a token at least, so the tokenizer never sees a document that is far too long.
    tokens = sum(map(len, pages))
    if tokens < limit:
        tokens = sum(engine.count_tokens(words) for words in pages if words)
    if tokens >= limit:
        # At the limit itself nothing is cut yet, but that looks the same from outside.
        raise _too_long(limit, param)
    if not tokens:
        raise refused("The document has no words.", param, "empty_document")


def _too_long(limit: int, param: str) -> Error:
    return refused(f"The document has {limit} tokens or more.", param, "too_many_words")


def _check_question(engine: TiltEngine, question: Question) -> None:
    limit = engine.limits.question_tokens
    if not question.text.strip():
        raise refused("The question is empty.", question.param)
    tokens = engine.count_question_tokens(question.text)
    if tokens > limit:
        raise refused(f"The question has {tokens} tokens; {limit} are allowed.", question.param)


def _engine_page(readable: Readable, limits: Limits) -> EnginePage:
    page = readable.page
    size = (page.width, page.height)
    image = page_picture(page.image.url, size, limits, f"{readable.param}.image.url")
    return EnginePage(readable.words, readable.boxes, page.width, page.height, image)

"""What speaks for and against an answered value, as numbers that cost next to nothing to find."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, median

from lib.domain.document import Page, PageSource, Word
from lib.domain.extraction import CheckStatus, ModelWeights, RawExtraction, Source
from lib.domain.task import DocumentType, FieldType
from lib.post.answered import Answered
from lib.post.checks import Verdict

_MIXED = re.compile(r"[^\W\d_]\d|\d[^\W\d_]")
_USUAL_SIGNS = frozenset(" .,-/&()'#:@+%")
_CHARACTERS = 1024  # that are kept as judged: more than a page of any script has
_LONG = 40.0  # characters: about a line
_MOST_REPEATS = 3
_KINDS: Mapping[FieldType, str] = {
    FieldType.NAME: "is name",
    FieldType.ADDRESS: "is address",
    FieldType.STRING: "is text",
    FieldType.MONEY: "is money",
    FieldType.NUMBER: "is number",
    FieldType.DATE: "is date",
    FieldType.PHONE: "is phone",
    FieldType.TAX_ID: "is tax id",
    FieldType.IDENTIFIER: "is identifier",
}
_NAMED = ("vendor_name", "vendor_address", "total", "subtotal", "tax_total", "issue_date")


@dataclass(frozen=True, slots=True)
class DocumentSigns:
    """What is the same for all values of a document: its quality, its type, how its sums came out.

    `letters`: mean recognition confidence of its words, weighted by their lengths; `height`: the
    median height of its words, in page heights; `model_weights`: of the model that was asked.
    """

    text: str
    letters: float
    word_count: int
    height: float
    from_pixels: bool
    is_receipt: bool
    type_score: float
    passed: float
    failed: float
    model_weights: ModelWeights


def signs_of(
    raw: RawExtraction, pages: Sequence[Page], text: str, verdicts: Sequence[Verdict]
) -> DocumentSigns:
    """The signs of one document; `text` is that of its telling pages."""
    words = [word for page in pages for word in page.words]
    count = sum(len(word.text) for word in words)
    return DocumentSigns(
        text=text,
        letters=sum(w.confidence * len(w.text) for w in words) / count if count else 1.0,
        word_count=len(words),
        height=median(_heights(words)) if words else 0.0,
        from_pixels=any(page.source is PageSource.OCR for page in pages),
        is_receipt=raw.document_type is DocumentType.RECEIPT,
        type_score=raw.document_type_score,
        passed=sum(v.weight for v in verdicts if v.check.status is CheckStatus.PASSED),
        failed=sum(v.weight for v in verdicts if v.check.status is CheckStatus.FAILED),
        model_weights=raw.model_weights,
    )


def features(answered: Answered, document: DocumentSigns) -> dict[str, float]:
    """The named features of one value; every value has the same names, in the same order."""
    option, rivals = answered.option, answered.rivals
    words = option.candidate.words
    rival = max((other.score for other in rivals), default=0.0)
    everything = option.score + sum(other.score for other in rivals)
    found = {
        "score": option.candidate.score,
        "weight": option.weight,
        "margin": option.score - rival,
        "share": option.score / everything if everything else 0.0,
        "rivals": float(min(len(rivals), 5)),
        "confirmed": answered.confirmed,
        "contradicted": answered.contradicted,
        "labelled": float(bool(option.candidate.label)),
        "ambiguous": float(option.ambiguous),
        "repaired": float(option.repaired),
        "derived": float(option.candidate.source is Source.DERIVED),
        "text layer": float(option.candidate.source is Source.TEXT_LAYER),
        "recalled": float(option.recalled),
        "in table": float(answered.in_table),
        "document letters": document.letters,
        "document words": math.log1p(document.word_count),
        "document pixels": float(document.from_pixels),
        "document receipt": float(document.is_receipt),
        "document type score": document.type_score,
        "document passed": document.passed,
        "document failed": document.failed,
    }
    found |= _of_words(words, document, trusted=option.recalled)
    found |= _of_text(str(option.value), option.candidate.raw, document, answered)
    found |= {name: float(answered.kind is kind) for kind, name in _KINDS.items()}
    found |= {f"is {name}": float(answered.field == name) for name in _NAMED}
    return found


def _of_words(words: Sequence[Word], document: DocumentSigns, *, trusted: bool) -> dict[str, float]:
    """How surely the letters were recognised, and where and how large they stand."""
    sure = [word.confidence for word in words] if words and not trusted else [1.0]
    heights = _heights(words)
    return {
        "least letters": min(sure),
        "mean letters": fmean(sure),
        "words": float(min(len(words), 20)),
        "top": min((word.polygon.y0 for word in words), default=0.5),
        "left": min((word.polygon.x0 for word in words), default=0.5),
        "size": fmean(heights) / document.height if heights and document.height else 1.0,
    }


@lru_cache(_CHARACTERS)
def _is_odd(character: str) -> bool:
    return not character.isalnum() and character not in _USUAL_SIGNS


def _heights(words: Sequence[Word]) -> list[float]:
    boxes = [word.polygon.box for word in words]
    return [bottom - top for _, top, _, bottom in boxes]


def _of_text(value: str, raw: str, document: DocumentSigns, answered: Answered) -> dict[str, float]:
    """What the text looks like, and how often it is printed."""
    length = max(1, len(value))

    def share(test: Callable[[str], bool]) -> float:
        return sum(map(test, value)) / length

    repeats = 0 if answered.in_table or not raw else document.text.count(raw) - 1
    return {
        "length": min(3.0, length / _LONG),
        "digits": share(str.isdigit),
        "odd signs": share(_is_odd),
        "commas": (value.count(",") + value.count(".")) / length,
        "lower case": share(str.islower),
        "mixed": min(1.0, len(_MIXED.findall(value)) / 4),
        "repeats": float(max(0, min(repeats, _MOST_REPEATS))),
    }

"""Heads of receipts as examples: features of their pieces, and the runs that the truth names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from kie_training.documents import Document, letters
from lib.kie.cpu_extractor import read_mentions
from lib.kie.lexicon import load_lexicon
from lib.kie.receipts.head_features import HeadFeatures, head_features
from lib.kie.receipts.pieces import Piece, head_pieces
from lib.kie.receipts.runs import Run

FIELDS = ("vendor_name", "vendor_address")
# The closest run to a label is what it means if no more than this share of it differs (OCR).
LARGEST_MISREADING = 0.35


@dataclass(frozen=True)
class Label:
    """Where a field stands: runs that fit its label equally well, or none of them (absent)."""

    runs: tuple[Run, ...]

    @property
    def none(self) -> bool:
        return not self.runs


@dataclass(frozen=True)
class Head:
    """One document's head. A field is None in `labels` where nothing is known of it."""

    document: Document
    features: HeadFeatures
    texts: tuple[str, ...]
    labels: dict[str, Label | None]


def read_heads(documents: Iterable[Document]) -> list[Head]:
    """Heads with their labels; documents without words are left out."""
    lexicon = load_lexicon()
    heads = []
    for document in documents:
        mentions = read_mentions(document.pages, lexicon)
        pieces = head_pieces(mentions)
        if pieces:
            features = head_features(mentions, pieces)
            labels = {
                "vendor_name": find_label(pieces, features.names, document, "vendor_name"),
                "vendor_address": find_label(
                    pieces, features.addresses, document, "vendor_address"
                ),
            }
            texts = tuple(piece.text for piece in pieces)
            heads.append(Head(document, features, texts, labels))
    return heads


def find_label(
    pieces: Sequence[Piece], possible: Sequence[Run], document: Document, field: str
) -> Label | None:
    """The runs whose letters are closest to the truth's; None where it was not read or judged."""
    if field not in document.truth.fields:
        return Label(()) if document.complete else None
    wanted = document.truth.fields[field]
    if wanted is None:
        return Label(())
    label = letters(str(wanted))
    parts = [letters(piece.text) for piece in pieces]
    distances = {
        run: Levenshtein.distance("".join(parts[run.first : run.last + 1]), label)
        for run in possible
    }
    closest = min(distances.values(), default=len(label))
    if closest > LARGEST_MISREADING * len(label) + 1:
        return None
    return Label(tuple(run for run, distance in distances.items() if distance == closest))


def tags(head: Head, field: str) -> NDArray[np.int64] | None:
    """0 outside, 1 first piece, 2 a further one, for labellers of single pieces."""
    label = head.labels[field]
    if label is None:
        return None
    found = np.zeros(len(head.texts), np.int64)
    for run in label.runs[:1]:
        found[run.first] = 1
        found[run.first + 1 : run.last + 1] = 2
    return found
